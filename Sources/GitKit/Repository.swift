internal import Base
internal import CLibgit2
internal import Synchronization
public import SystemPackage

/// A git repository.
///
/// Reads and writes go through libgit2 under a lock, so a value can be shared between tasks; `git` itself is
/// started where libgit2 has no answer (fetch, push, signatures).
public final class Repository: Sendable {
    /// The folder of this work tree's own files: `HEAD`, `index`.
    public let gitDirectory: FilePath
    /// The folder that all work trees share: `refs`, `objects`, `config`, `hooks`.
    public let commonDirectory: FilePath
    /// The top of the work tree; nil in a bare repository.
    public let workTree: FilePath?

    private let handle: Mutex<Handle>

    /// libgit2's repository, freed once.
    final class Handle: @unchecked Sendable {  // only ever touched under the mutex
        let pointer: OpaquePointer
        init(_ pointer: OpaquePointer) { self.pointer = pointer }
        deinit { git_repository_free(pointer) }
    }

    /// Opens the repository that `path` is in; what git told a hook by `GIT_DIR` is not looked at.
    public convenience init(_ path: FilePath) throws {
        try self.init(path, flags: 0)
    }

    /// Opens the repository of this process: by `GIT_DIR` where git has set it, else from the current folder upwards.
    public static func current() throws -> Repository {
        guard let workTree = environmentValue("GIT_WORK_TREE") else {
            return try Repository(".", flags: UInt32(GIT_REPOSITORY_OPEN_FROM_ENV.rawValue))
        }
        // libgit2 refuses to look at that variable, which git sets for filters while it adds a work tree.
        return try Repository(FilePath(environmentValue("GIT_DIR") ?? "."), flags: 0, workTree: workTree)
    }

    private init(_ path: FilePath, flags: UInt32, workTree given: String? = nil) throws {
        guard Library.started else { throw Library.failure("start libgit2", -1) }
        var pointer: OpaquePointer?
        let fromEnvironment = flags != 0
        let code = git_repository_open_ext(&pointer, fromEnvironment ? nil : path.string, flags, nil)
        guard code == 0, let pointer else {
            if code == GIT_ENOTFOUND.rawValue {
                git_error_clear()
                throw GitFailure.noRepository(at: path == "." ? "this folder" : path.string)
            }
            throw Library.failure("open the repository at \(path)", code)
        }
        if let given { git_repository_set_workdir(pointer, given, 0) }
        gitDirectory = Self.folder(git_repository_path(pointer))
        commonDirectory = Self.folder(git_repository_commondir(pointer))
        workTree = git_repository_is_bare(pointer) == 1 ? nil : git_repository_workdir(pointer).map { Self.folder($0) }
        handle = Mutex(Handle(pointer))
    }

    private static func folder(_ text: UnsafePointer<CChar>?) -> FilePath {
        FilePath(text.map { String(cString: $0) } ?? "")  // FilePath drops the slash at the end
    }

    func withHandle<T>(_ body: (OpaquePointer) throws -> T) rethrows -> T {
        try handle.withLock { try body($0.pointer) }
    }

    /// The top of the work tree, or an error that says that there is none.
    public func requireWorkTree() throws -> FilePath {
        guard let workTree else { throw GitFailure.noWorkTree(gitDirectory.string) }
        return workTree
    }

    /// Where git-ml keeps what can be rebuilt and what is on its way into git: `<common>/ml`.
    public var mlDirectory: FilePath { commonDirectory.appending("ml") }
}

// MARK: - Settings

extension Repository {
    /// A setting as git sees it over all its files; nil when it is not set.
    public func setting(_ key: String) throws -> String? {
        try withConfig { config in
            var buffer = git_buf()
            defer { git_buf_dispose(&buffer) }
            let code = git_config_get_string_buf(&buffer, config, key)
            if code == GIT_ENOTFOUND.rawValue { return nil }
            try Library.check("read the setting \(key)") { code }
            return buffer.ptr.map { String(cString: $0) }
        }
    }

    private func withConfig<T>(_ body: (OpaquePointer) throws -> T) throws -> T {
        try withHandle { repository in
            var config: OpaquePointer?
            try Library.check("read git's settings") { git_repository_config_snapshot(&config, repository) }
            guard let config else { throw Library.failure("read git's settings", -1) }
            defer { git_config_free(config) }
            return try body(config)
        }
    }

    /// The names of the remotes.
    public func remotes() throws -> [String] {
        try withHandle { repository in
            var names = git_strarray()
            try Library.check("list the remotes") { git_remote_list(&names, repository) }
            defer { git_strarray_dispose(&names) }
            return (0..<names.count).compactMap { names.strings[$0].map { String(cString: $0) } }
        }
    }
}
