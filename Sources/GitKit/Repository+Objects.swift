internal import Base
internal import CLibgit2

/// The four kinds of git objects.
public enum ObjectKind: String, Sendable {
    case commit, tree, blob, tag
}

extension Repository {
    /// An object's kind and bytes.
    public func object(_ id: ObjectID) throws -> (kind: ObjectKind, bytes: [UInt8]) {
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

    /// An object's kind and size in bytes, without its content; nil when it is not here.
    public func header(_ id: ObjectID) throws -> (kind: ObjectKind, size: Int)? {
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

    /// Stores an object; one that is there already is left alone.
    @discardableResult
    public func write(_ kind: ObjectKind, _ bytes: [UInt8]) throws -> ObjectID {
        try withDatabase { database in
            var oid = git_oid()
            try Library.check("write a \(kind) into the repository") {
                git_odb_write(&oid, database, bytes, bytes.count, kind.code)
            }
            return oid.objectID
        }
    }

    /// The bytes of an object that must be of the kind.
    func bytes(of id: ObjectID, as kind: ObjectKind) throws -> [UInt8] {
        let object = try object(id)
        guard object.kind == kind else {
            throw GitFailure.malformed(object: id.hex, reason: "it is a \(object.kind), not a \(kind)")
        }
        return object.bytes
    }

    /// A blob's bytes.
    public func blob(_ id: ObjectID) throws -> [UInt8] { try bytes(of: id, as: .blob) }

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
