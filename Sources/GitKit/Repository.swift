internal import Base
internal import Synchronization
public import SystemPackage

/// A git repository.
///
/// Reads and writes go through libgit2 under a lock, so a value can be shared between tasks. A repository that libgit2
/// cannot open (SHA-256, reftable) is read and written by `git` processes in the same way, some
/// milliseconds slower a call.
public final class Repository: Sendable {
    let backend: any RepositoryBackend
    /// `git`, for what libgit2 does not know about shallow and partial clones; started when first needed.
    private let startedProgram: Mutex<ProgramBackend?>
    let recent = Mutex(RecentObjects())
    private let knownToBePartial = Mutex<Bool?>(nil)

    /// The folder of this work tree's own files: `HEAD`, `index`.
    public var gitDirectory: FilePath { backend.place.gitDirectory }
    /// The folder that all work trees share: `refs`, `objects`, `config`, `hooks`.
    public var commonDirectory: FilePath { backend.place.commonDirectory }
    /// The top of the work tree; nil in a bare repository.
    public var workTree: FilePath? { backend.place.workTree }
    /// The hash by which objects are named.
    public var format: ObjectFormat { backend.place.format }

    /// Opens the repository that `path` is in; what git told a hook by `GIT_DIR` is not looked at.
    public convenience init(_ path: FilePath) throws {
        try self.init(path, fromEnvironment: false)
    }

    /// Opens the repository of this process: by `GIT_DIR` where git has set it, else from the current folder upwards.
    public static func current() throws -> Repository {
        try Repository(".", fromEnvironment: true)
    }

    private init(_ path: FilePath, fromEnvironment: Bool) throws {
        backend =
            try LibraryBackend(path, fromEnvironment: fromEnvironment)
            ?? ProgramBackend(path, fromEnvironment: fromEnvironment)
        startedProgram = Mutex(backend as? ProgramBackend)
    }

    /// Whether every call is answered by a `git` process.
    var usesProgram: Bool { backend is ProgramBackend }

    /// What answers questions about history: libgit2 does not know where a shallow clone ends.
    func historyBackend() throws -> any RepositoryBackend { isShallow ? try program() : backend }

    /// The same repository through `git`.
    func program() throws -> ProgramBackend {
        let place = backend.place
        return try startedProgram.withLock { program in
            if let program { return program }
            let new = try ProgramBackend(place)
            program = new
            return new
        }
    }

    /// Whether a remote has promised the objects that are missing (`git clone --filter`).
    ///
    /// Looked at once: it is asked for with every object that is not here.
    func isPartial() throws -> Bool {
        if let known = knownToBePartial.withLock({ $0 }) { return known }
        let isPartial =
            try setting("extensions.partialClone") != nil
            || remotes().contains { try ["true", "1", "yes", "on"].contains(setting("remote.\($0).promisor")) }
        knownToBePartial.withLock { $0 = isPartial }
        return isPartial
    }

    /// Whether history is cut off somewhere (`git clone --depth`).
    ///
    /// What lies beyond the cut is unknown here: ``isAncestor(_:of:)`` answers no about it.
    public var isShallow: Bool { (Files.status(commonDirectory.appending("shallow"))?.size ?? 0) > 0 }

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
        // libgit2 knows nothing of these variables, and would read the files that they replace.
        let isElsewhere = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"].contains { environmentValue($0) != nil }
        return try isElsewhere ? program().setting(key) : backend.setting(key)
    }

    /// The names of the remotes.
    public func remotes() throws -> [String] { try backend.remotes() }
}
