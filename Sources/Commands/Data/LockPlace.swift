internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import Storage
internal import SystemPackage

/// The server whose locks a command is about.
struct LockPlace: ParsableArguments {
    @Option(help: "The git remote whose locks are meant; without it the one that the branch is pushed to.")
    var remote: String?

    func open() throws -> Opened {
        let repository = try Repository.current()
        let settings = try repository.lfsSettings()
        guard let remote = try remote ?? repository.lfsRemote(settings) else {
            throw LFSLockFailure.unsupported("a repository without a remote")
        }
        let context = try repository.lfsContext(remote: remote, settings: settings)
        guard case .server? = context.endpoint(for: .upload) else {
            throw LFSLockFailure.unsupported("the remote \(remote)")
        }
        return Opened(repository: repository, locks: try LFSLocks(context), settings: settings)
    }

    static func json(_ lock: LFSLock, isOwn: Bool? = nil) -> JSON {
        .object(
            [
                .init("path", .string(lock.path)), .init("id", .string(lock.id)),
                .init("owner", .optional(lock.owner)), .init("locked_at", .optional(lock.lockedAt)),
            ] + (isOwn.map { [.init("ours", .bool($0))] } ?? []))
    }

    /// The repository and the locks of one of its remotes.
    struct Opened {
        let repository: Repository
        let locks: LFSLocks
        let settings: LFSSettings

        /// A path of the command line from the top of the work tree; it need not exist any more.
        func relative(_ path: String) throws -> String {
            let top = try repository.requireWorkTree()
            let whole = Installation.currentFolder.pushing(FilePath(path)).lexicallyNormalized()
            var inside = whole
            guard inside.removePrefix(top), !inside.isEmpty else {
                throw LockPathFailure(path: path, reason: "is not inside of the work tree")
            }
            guard Files.status(whole)?.kind != .directory else {
                throw LockPathFailure(path: path, reason: "is a folder: only files can be locked")
            }
            return inside.string
        }

        func requireCommitted(_ path: String) async throws {
            let status = try await repository.git.run(["status", "--porcelain", "-z", "--", ":(top,literal)\(path)"])
            guard status.isEmpty else {
                throw LockPathFailure(
                    path: path, reason: "has changes that are not committed", hint: "commit them first, or use --force")
            }
        }

        /// A file with the attribute `lockable` can be written only while it is locked, as with git-lfs.
        func setWritable(_ path: String, _ isWritable: Bool) async throws {
            guard settings.bool("lfs.setlockablereadonly") ?? true else { return }
            let words = try await repository.git.run(["check-attr", "-z", "lockable", "--", path])
                .split(separator: "\0", omittingEmptySubsequences: false)
            guard words.count >= 3, words[2] == "set" || words[2] == "true" else { return }
            let file = try repository.requireWorkTree().appending(FilePath(path).components)
            guard let status = Files.status(file), status.kind == .file else { return }
            let mode = isWritable ? status.mode | 0o200 : status.mode & ~0o222
            guard file.withPlatformString({ chmod($0, mode_t(mode)) }) == 0 else {
                throw FileFailure("change the mode of", file, Errno(rawValue: errno))
            }
        }
    }
}

/// A path that cannot be locked or unlocked.
struct LockPathFailure: Failure {
    let path: String
    let reason: String
    var hint: String?
    var kind: FailureKind { .user }
    var description: String { "\(path) \(reason)" }
    var hints: [String] { hint.map { [$0] } ?? [] }
}
