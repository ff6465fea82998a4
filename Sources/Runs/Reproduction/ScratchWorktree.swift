internal import Base
public import GitKit
public import SystemPackage

/// A clean work tree of one commit, for a while: `<common>/ml/worktrees/<name>`.
///
/// As long as somebody uses it a lock beside it is held; one whose lock is free was left by a process that died, and the
/// next use of any removes it.
public struct ScratchWorktree: ~Copyable {
    private let owner: Repository
    public let path: FilePath
    private let lock: FileLock
    private var isKept = false

    /// Checks a commit out, detached; hooks do not run.
    public static func make(_ commit: ObjectID, in owner: Repository) async throws -> ScratchWorktree {
        await removeAbandoned(in: owner)
        let name = "\(commit.hex.prefix(8))-\(UUIDv7().description.suffix(8))"
        let path = folder(owner).appending(name)
        guard let lock = try FileLock.ifFree(lockPath(path)) else { throw GitFailure.moved(ref: path.string) }
        let worktree = ScratchWorktree(owner: owner, path: path, lock: lock)
        do {
            try await git(owner).run(["worktree", "add", "--quiet", "--detach", path.string, commit.hex])
        } catch {
            await worktree.remove()
            throw error
        }
        return worktree
    }

    private init(owner: Repository, path: FilePath, lock: consuming FileLock) {
        self.owner = owner
        self.path = path
        self.lock = lock
    }

    /// Leaves it to the person who asked for it.
    public consuming func keep() { Files.remove(Self.lockPath(path)) }

    /// Takes it away, from git's list too.
    public consuming func remove() async { await Self.remove(path, of: owner) }

    /// Removes what processes that died have left behind.
    public static func removeAbandoned(in owner: Repository) async {
        let names = (try? Files.list(folder(owner)))?.filter { $0.hasSuffix(".lock") } ?? []
        for name in names {
            let path = folder(owner).appending(String(name.dropLast(5)))
            guard let lock = try? FileLock.ifFree(lockPath(path)) else { continue }
            await remove(path, of: owner)
            extendLifetime(lock)
        }
    }

    private static func remove(_ path: FilePath, of owner: Repository) async {
        if (try? await git(owner).run(["worktree", "remove", "--force", "--force", path.string])) == nil {
            try? Files.removeTree(path)
            _ = try? await git(owner).run(["worktree", "prune"])
        }
        Files.remove(lockPath(path))
    }

    private static func folder(_ owner: Repository) -> FilePath { owner.mlDirectory.appending("worktrees") }

    private static func lockPath(_ path: FilePath) -> FilePath {
        path.removingLastComponent().appending((path.lastComponent?.string ?? "") + ".lock")
    }

    private static func git(_ owner: Repository) -> Git { Git(in: owner.commonDirectory) }
}
