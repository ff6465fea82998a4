internal import Base
internal import CLibgit2
internal import SystemPackage

/// A ref and the object it points at.
public struct Ref: Hashable, Sendable {
    /// The full name: `refs/tags/v1`.
    public let name: String
    public let target: ObjectID
}

extension Repository {
    /// What a ref points at, symbolic refs followed; nil when it is not there.
    public func ref(_ name: String) throws -> ObjectID? {
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

    /// All refs below a prefix such as `refs/tags/`, sorted by name.
    public func refs(below prefix: String) throws -> [Ref] {
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
            return refs.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        }
    }

    /// Moves a ref from exactly `old` (nil: it must not exist) to `new`.
    ///
    /// Throws ``GitFailure/moved(ref:)`` when it held something else or another process has it locked.
    public func update(_ name: String, from old: ObjectID?, to new: ObjectID, reason: String) throws {
        try withHandle { repository in
            guard var target = git_oid(new) else { throw GitFailure.missingObject(new.hex) }
            var reference: OpaquePointer?
            defer { git_reference_free(reference) }
            let code: Int32
            if let old {
                guard var expected = git_oid(old) else { throw GitFailure.missingObject(old.hex) }
                code = git_reference_create_matching(&reference, repository, name, &target, 1, &expected, reason)
            } else {
                code = git_reference_create(&reference, repository, name, &target, 0, reason)
            }
            let lost = [GIT_EMODIFIED.rawValue, GIT_EEXISTS.rawValue, GIT_ELOCKED.rawValue, GIT_ENOTFOUND.rawValue]
            if lost.contains(code) {
                git_error_clear()
                throw GitFailure.moved(ref: name)
            }
            try Library.check("move \(name)") { code }
        }
    }

    /// Moves one of our refs to what `next` makes of its present value; nil leaves it alone.
    ///
    /// Writers of one clone queue on a lock; against everybody else the ref moves by compare-and-swap, and `next` is
    /// asked again when somebody was faster.
    public func move(_ ref: String, _ next: (ObjectID?) throws -> ObjectID?) throws {
        try FileLock.with(mlDirectory.appending("notes.lock")) {
            var tries = 0
            while true {
                let head = try self.ref(ref)
                guard let new = try next(head), new != head else { return }
                do {
                    return try update(ref, from: head, to: new, reason: "git-ml")
                } catch GitFailure.moved where tries < 50 {
                    tries += 1
                    usleep(UInt32.random(in: 1000...10_000))
                }
            }
        }
    }

    /// The branch that HEAD is on (`refs/heads/main`, born or not); nil when it is detached.
    public func headBranch() throws -> String? {
        try withHandle { repository in
            var head: OpaquePointer?
            try Library.check("read HEAD") { git_reference_lookup(&head, repository, "HEAD") }
            defer { git_reference_free(head) }
            return git_reference_symbolic_target(head).map { String(cString: $0) }
        }
    }

    /// The commit of HEAD; nil on a branch without commits.
    public func head() throws -> ObjectID? { try ref("HEAD") }

    /// The commit that a revision means, tags followed.
    public func resolve(_ revision: String) throws -> ObjectID {
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
