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

    /// Checks a commit out, detached; hooks do not run.
    public static func make(_ commit: ObjectID, in owner: Repository) async throws -> ScratchWorktree {
        await removeAbandoned(in: owner)
        let worktree = try fresh(commit, in: owner)
        let path = worktree.path
        do {
            // The whole commit, also where the person's own work tree is a part of it.
            let settings = ["-c", "core.hooksPath=/dev/null", "-c", "core.sparseCheckout=false"]
            try await git(owner).run(settings + ["worktree", "add", "--quiet", "--detach", path.string, commit.hex])
            if Files.exists(path.appending(".gitmodules")) { try await checkOutSubmodules(path, of: owner) }
        } catch {
            await worktree.remove()
            throw error
        }
        return worktree
    }

    /// From the person's own copies of the submodules where they have them, else from where `.gitmodules` says.
    private static func checkOutSubmodules(_ path: FilePath, of owner: Repository) async throws {
        let git = Git(in: path)
        let list = try await git.run([
            "config", "--file", ".gitmodules", "--null", "--get-regexp", #"^submodule\..*\.path$"#,
        ])
        for entry in list.split(separator: "\0") {
            let parts = entry.split(separator: "\n", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let section = String(parts[0].dropLast(".path".count))
            let name = FilePath(String(section.dropFirst("submodule.".count)))
            let own = owner.commonDirectory.appending("modules").appending(name.components)
            let isOwn = !name.components.contains { $0.kind != .regular } && Files.exists(own.appending("HEAD"))
            // A submodule's own clone may have commits that were pushed nowhere yet.
            let settings = isOwn ? ["-c", "\(section).url=\(own)", "-c", "protocol.file.allow=always"] : []
            let isKnown = try owner.setting(section + ".url") != nil
            try await git.run(
                settings + ["submodule", "--quiet", "update", "--init", "--recursive", "--", String(parts[1])])
            // What was not set up in the person's clone is not set up there now.
            if !isKnown { _ = try? await git.run(["config", "--remove-section", section]) }
        }
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
        while let worktree = try? abandoned(in: owner) { await worktree.remove() }
    }

    // A lock's file is there a moment before the lock is held: both of these hold a lock of their own for that moment.

    private static func fresh(_ commit: ObjectID, in owner: Repository) throws -> ScratchWorktree {
        let moment = try FileLock.wait(owner.mlDirectory.appending("worktrees.lock"))
        defer { extendLifetime(moment) }
        let path = folder(owner).appending("\(commit.hex.prefix(8))-\(UUIDv7().description.suffix(8))")
        return ScratchWorktree(owner: owner, path: path, lock: try FileLock.wait(lockPath(path)))
    }

    private static func abandoned(in owner: Repository) throws -> ScratchWorktree? {
        let names = try Files.list(folder(owner)).filter { $0.hasSuffix(".lock") }
        if names.isEmpty { return nil }
        let moment = try FileLock.wait(owner.mlDirectory.appending("worktrees.lock"))
        defer { extendLifetime(moment) }
        for path in names.map({ folder(owner).appending(String($0.dropLast(5))) }) {
            if let lock = try FileLock.ifFree(lockPath(path)) {
                return ScratchWorktree(owner: owner, path: path, lock: lock)
            }
        }
        return nil
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
