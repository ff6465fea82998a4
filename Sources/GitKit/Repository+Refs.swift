internal import Base
internal import Synchronization
internal import SystemPackage

/// A ref and the object it points at.
public struct Ref: Hashable, Sendable {
    /// The full name: `refs/tags/v1`.
    public let name: String
    public let target: ObjectID
}

extension Repository {
    /// What a ref points at, symbolic refs followed; nil when it is not there.
    public func ref(_ name: String) throws -> ObjectID? { try backend.ref(name) }

    /// All refs below a prefix such as `refs/tags/`, sorted by name; symbolic ones are left out.
    public func refs(below prefix: String) throws -> [Ref] {
        try backend.refs(below: prefix).sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// Moves a ref from exactly `old` (nil: it must not exist) to `new`.
    ///
    /// Objects that were written before are flushed to the disk first. Throws ``GitFailure/moved(ref:)`` when the ref
    /// held something else, and ``GitFailure/locked(ref:path:age:)`` when another process has kept it locked for all
    /// of ``lockPatience``.
    public func update(_ name: String, from old: ObjectID?, to new: ObjectID, reason: String) throws {
        let deadline = ContinuousClock.now + Self.lockPatience
        var tries = 0
        while true {
            do {
                try backend.flush()
                try backend.update(name, from: old, to: new, reason: reason)
                break
            } catch GitFailure.locked where ContinuousClock.now < deadline {
                usleep(UInt32.random(in: 1000...10_000))
            } catch let failure as GitFailure {
                // Another failure may be a gc that has just taken what the ref was to lead to.
                switch failure {
                case .moved, .locked: throw failure
                default: guard tries < 3 else { throw failure }
                }
                tries += 1
                try restoreRecent()
            }
        }
        try secureRecent()
    }

    /// How long a lock of another process on a ref is waited for: git holds one for a millisecond or two.
    static let lockPatience: Duration = .milliseconds(150)

    /// Moves one of our refs to what `next` makes of its present value; nil leaves it alone.
    ///
    /// Writers of one clone queue on a lock; against everybody else the ref moves by compare-and-swap, and `next` is
    /// asked again when somebody was faster.
    public func move(_ ref: String, _ next: (ObjectID?) throws -> ObjectID?) throws {
        try FileLock.with(mlDirectory.appending("notes.lock")) {
            var tries = 0
            while true {
                let head = try self.ref(ref)
                backend.holdBack(1)  // `update` flushes
                let new = Result { try next(head) }
                backend.holdBack(-1)
                guard let new = try new.get(), new != head else { return }
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
    public func headBranch() throws -> String? { try backend.headBranch() }

    /// The commit of HEAD; nil on a branch without commits.
    public func head() throws -> ObjectID? { try ref("HEAD") }

    /// The commit that a revision means, tags followed.
    public func resolve(_ revision: String) throws -> ObjectID { try backend.resolve(revision) }
}

extension RepositoryPlace {
    /// The failure for a ref whose lock file another process holds, or left behind when it was killed.
    func locked(_ ref: String) -> GitFailure {
        let isOwn = !ref.hasPrefix("refs/") || ["refs/bisect/", "refs/worktree/"].contains { ref.hasPrefix($0) }
        let path = (isOwn ? gitDirectory : commonDirectory).appending(FilePath(ref + ".lock").components)
        let seconds = Files.status(path).map { (Timestamp.now().microseconds - $0.modified.microseconds) / 1_000_000 }
        return .locked(ref: ref, path: path.string, age: max(0, seconds ?? 0))
    }
}
