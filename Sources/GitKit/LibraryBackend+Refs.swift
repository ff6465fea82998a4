internal import CLibgit2

extension LibraryBackend {
    func ref(_ name: String) throws -> ObjectID? {
        try withHandle { repository in
            var oid = git_oid()
            let code = git_reference_name_to_id(&oid, repository, name)
            if code == GIT_ENOTFOUND.rawValue {
                git_error_clear()
                return nil
            }
            try Library.check("read \(name)") { code }
            return oid.objectID
        }
    }

    func refs(below prefix: String) throws -> [Ref] {
        try withHandle { repository in
            var iterator: OpaquePointer?
            try Library.check("list \(prefix)") { git_reference_iterator_glob_new(&iterator, repository, prefix + "*") }
            defer { git_reference_iterator_free(iterator) }
            var refs: [Ref] = []
            var reference: OpaquePointer?
            while git_reference_next(&reference, iterator) == 0 {
                defer { git_reference_free(reference) }
                guard let name = git_reference_name(reference), let oid = git_reference_target(reference) else {
                    continue
                }
                refs.append(Ref(name: String(cString: name), target: oid.pointee.objectID))
            }
            git_error_clear()
            return refs
        }
    }

    func update(_ name: String, from old: ObjectID?, to new: ObjectID, reason: String) throws {
        try withHandle { repository in
            guard var target = git_oid(new) else { throw GitFailure.missingObject(new.hex) }
            var expected = git_oid()
            if let old {
                guard let oid = git_oid(old) else { throw GitFailure.missingObject(old.hex) }
                expected = oid
            }
            var reference: OpaquePointer?
            defer { git_reference_free(reference) }
            let code = Library.durably {
                old == nil
                    ? git_reference_create(&reference, repository, name, &target, 0, reason)
                    : git_reference_create_matching(&reference, repository, name, &target, 1, &expected, reason)
            }
            if code == GIT_ELOCKED.rawValue {
                git_error_clear()
                throw place.locked(name)
            }
            if [GIT_EMODIFIED.rawValue, GIT_EEXISTS.rawValue, GIT_ENOTFOUND.rawValue].contains(code) {
                git_error_clear()
                throw GitFailure.moved(ref: name)
            }
            try Library.check("move \(name)") { code }
        }
    }

    func headBranch() throws -> String? {
        try withHandle { repository in
            var head: OpaquePointer?
            try Library.check("read HEAD") { git_reference_lookup(&head, repository, "HEAD") }
            defer { git_reference_free(head) }
            return git_reference_symbolic_target(head).map { String(cString: $0) }
        }
    }

    func resolve(_ revision: String) throws -> ObjectID {
        try withHandle { repository in
            var object: OpaquePointer?
            guard git_revparse_single(&object, repository, revision) == 0 else {
                git_error_clear()
                throw GitFailure.unknownRevision(revision)
            }
            defer { git_object_free(object) }
            var commit: OpaquePointer?
            guard git_object_peel(&commit, object, GIT_OBJECT_COMMIT) == 0 else {
                git_error_clear()
                throw GitFailure.unknownRevision(revision)
            }
            defer { git_object_free(commit) }
            guard let oid = git_object_id(commit) else { throw GitFailure.unknownRevision(revision) }
            return oid.pointee.objectID
        }
    }
}
