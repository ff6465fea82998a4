internal import Base
internal import CLibgit2
internal import Synchronization
internal import SystemPackage

/// A repository through libgit2, under one lock.
final class LibraryBackend: RepositoryBackend {
    let place: RepositoryPlace
    private let state: Mutex<State>

    private struct State {
        let handle: Handle
        /// Objects that were written and may not be on the disk yet.
        var unflushed: [ObjectID] = []
    }

    /// libgit2's repository, freed once.
    private final class Handle: @unchecked Sendable {  // only ever touched under the mutex
        let pointer: OpaquePointer
        init(_ pointer: OpaquePointer) { self.pointer = pointer }
        deinit { git_repository_free(pointer) }
    }

    /// Nil when there is a repository that libgit2 cannot open.
    init?(_ path: FilePath, fromEnvironment: Bool) throws {
        guard Library.started else { throw Library.failure("start libgit2", -1) }
        var pointer: OpaquePointer?
        let flags = fromEnvironment ? UInt32(GIT_REPOSITORY_OPEN_FROM_ENV.rawValue) : 0
        let code = git_repository_open_ext(&pointer, fromEnvironment ? nil : path.string, flags, nil)
        guard code == 0, let pointer else {
            git_error_clear()
            guard code == GIT_ENOTFOUND.rawValue else { return nil }
            throw GitFailure.noRepository(at: path == "." ? "this folder" : path.string)
        }
        place = RepositoryPlace(
            gitDirectory: Self.folder(git_repository_path(pointer)),
            commonDirectory: Self.folder(git_repository_commondir(pointer)),
            workTree: Self.workTree(pointer, fromEnvironment: fromEnvironment), format: .sha1,
            isFromEnvironment: fromEnvironment && environmentValue("GIT_DIR") != nil)
        state = Mutex(State(handle: Handle(pointer)))
    }

    /// With `GIT_DIR` and without `GIT_WORK_TREE` or `core.worktree`, the current folder is the top, whatever lies
    /// beside the repository's folder: so git calls its hooks.
    private static func workTree(_ pointer: OpaquePointer, fromEnvironment: Bool) -> FilePath? {
        guard git_repository_is_bare(pointer) != 1, let top = git_repository_workdir(pointer) else { return nil }
        guard fromEnvironment, environmentValue("GIT_DIR") != nil, environmentValue("GIT_WORK_TREE") == nil else {
            return folder(top)
        }
        var config: OpaquePointer?
        defer { git_config_free(config) }
        var buffer = git_buf()
        defer { git_buf_dispose(&buffer) }
        if git_repository_config_snapshot(&config, pointer) == 0,
            git_config_get_string_buf(&buffer, config, "core.worktree") == 0
        {
            return folder(top)
        }
        git_error_clear()
        return Files.currentDirectory() ?? folder(top)
    }

    private static func folder(_ text: UnsafePointer<CChar>?) -> FilePath {
        FilePath(text.map { String(cString: $0) } ?? "")  // FilePath drops the slash at the end
    }

    func withHandle<T>(_ body: (OpaquePointer) throws -> T) rethrows -> T {
        try state.withLock { try body($0.handle.pointer) }
    }

    // MARK: Durability

    func noteWritten(_ id: ObjectID) { state.withLock { $0.unflushed.append(id) } }

    func holdBack(_ change: Int) {}  // nothing is flushed before `flush` anyhow

    /// Flushes the few files that were written one by one, and many with one `syncfs`.
    func flush() throws {
        let ids = state.withLock { state in
            defer { state.unflushed = [] }
            return state.unflushed
        }
        if ids.isEmpty { return }
        let objects =
            place.isFromEnvironment
            ? environmentValue("GIT_OBJECT_DIRECTORY").map { FilePath($0) } : nil
        try LooseObjects(folder: objects ?? place.commonDirectory.appending("objects")).flush(ids)
    }

    // MARK: Settings

    func setting(_ key: String) throws -> String? {
        try withHandle { repository in
            var config: OpaquePointer?
            try Library.check("read git's settings") { git_repository_config_snapshot(&config, repository) }
            guard let config else { throw Library.failure("read git's settings", -1) }
            defer { git_config_free(config) }
            var buffer = git_buf()
            defer { git_buf_dispose(&buffer) }
            let code = git_config_get_string_buf(&buffer, config, key)
            if code == GIT_ENOTFOUND.rawValue {
                git_error_clear()
                return nil
            }
            try Library.check("read the setting \(key)") { code }
            return buffer.ptr.map { String(cString: $0) }
        }
    }

    func remotes() throws -> [String] {
        try withHandle { repository in
            var names = git_strarray()
            try Library.check("list the remotes") { git_remote_list(&names, repository) }
            defer { git_strarray_dispose(&names) }
            return (0..<names.count).compactMap { names.strings[$0].map { String(cString: $0) } }
        }
    }
}
