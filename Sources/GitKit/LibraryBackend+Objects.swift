internal import CLibgit2

extension LibraryBackend {
    func object(_ id: ObjectID) throws -> (kind: ObjectKind, bytes: [UInt8]) {
        try withDatabase { database in
            guard var oid = git_oid(id) else { throw GitFailure.missingObject(id.hex) }
            var object: OpaquePointer?
            let code = git_odb_read(&object, database, &oid)
            guard code != GIT_ENOTFOUND.rawValue else {
                git_error_clear()
                throw GitFailure.missingObject(id.hex)
            }
            try Library.check("read the object \(id)") { code }
            defer { git_odb_object_free(object) }
            let bytes = UnsafeRawBufferPointer(start: git_odb_object_data(object), count: git_odb_object_size(object))
            return (ObjectKind(git_odb_object_type(object)), Array(bytes))
        }
    }

    func header(_ id: ObjectID) throws -> (kind: ObjectKind, size: Int)? {
        try withDatabase { database in
            guard var oid = git_oid(id) else { return nil }
            var size = 0
            var kind = GIT_OBJECT_INVALID
            let code = git_odb_read_header(&size, &kind, database, &oid)
            if code == GIT_ENOTFOUND.rawValue {
                git_error_clear()
                return nil
            }
            try Library.check("look at the object \(id)") { code }
            return (ObjectKind(kind), size)
        }
    }

    func write(_ kind: ObjectKind, _ bytes: [UInt8]) throws -> ObjectID {
        let id = try withDatabase { database in
            var oid = git_oid()
            var tries = 0
            // `git gc --prune=now` removes an empty folder between its making and the making of a file in it.
            while git_odb_write(&oid, database, bytes, bytes.count, kind.code) < 0 {
                tries += 1
                if tries == 5 { throw Library.failure("write a \(kind) into the repository", -1) }
            }
            return oid.objectID
        }
        noteWritten(id)
        return id
    }

    private func withDatabase<T>(_ body: (OpaquePointer) throws -> T) throws -> T {
        try withHandle { repository in
            var database: OpaquePointer?
            try Library.check("open the object database") { git_repository_odb(&database, repository) }
            guard let database else { throw Library.failure("open the object database", -1) }
            defer { git_odb_free(database) }
            return try body(database)
        }
    }
}

extension ObjectKind {
    fileprivate init(_ code: git_object_t) {
        switch code {
        case GIT_OBJECT_COMMIT: self = .commit
        case GIT_OBJECT_TREE: self = .tree
        case GIT_OBJECT_TAG: self = .tag
        default: self = .blob
        }
    }

    fileprivate var code: git_object_t {
        switch self {
        case .commit: GIT_OBJECT_COMMIT
        case .tree: GIT_OBJECT_TREE
        case .blob: GIT_OBJECT_BLOB
        case .tag: GIT_OBJECT_TAG
        }
    }
}
