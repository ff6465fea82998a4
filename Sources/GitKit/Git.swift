public import Base
public import SystemPackage

/// The `git` program, where libgit2 has no answer: clone, fetch, push, signatures, settings, refreshing the index.
public struct Git: Sendable {
    /// Where it works: a work tree, or a bare repository's folder.
    public let directory: FilePath
    private let environment: [String: String?]

    /// Works in `directory`, whatever repository a hook's environment points at.
    public init(in directory: FilePath, environment: [String: String?] = [:]) {
        self.directory = directory
        var environment = environment
        for name in ChildProcess.repositoryVariables where environment[name] == nil {
            environment[name] = .some(nil)
        }
        // Never wait for a password at a terminal that nobody watches, and speak English to our parsers.
        environment["LC_ALL"] = environment["LC_ALL"] ?? "C"
        self.environment = environment
    }

    /// The same with more in its environment.
    public func with(_ more: [String: String?]) -> Git {
        Git(in: directory, environment: environment.merging(more) { $1 })
    }

    /// Runs git; a status other than 0 is a ``ProcessFailure``.
    @discardableResult
    public func callAsFunction(_ arguments: String..., input: [UInt8] = []) async throws -> String {
        try await run(arguments, input: input)
    }

    /// The same with the arguments in an array.
    @discardableResult
    public func run(_ arguments: [String], input: [UInt8] = []) async throws -> String {
        try await ChildProcess.check("git", arguments, in: directory, environment: environment, input: input).text
    }

    /// Runs git and leaves the judgement about its exit status to the caller.
    ///
    /// Lists of all files of a repository are long: up to 4 GiB of output are taken in.
    public func attempt(_ arguments: [String], input: [UInt8] = []) async throws -> ProcessResult {
        try await ChildProcess.run(
            "git", arguments, in: directory, environment: environment, input: input, limit: 4 << 30)
    }

    /// The bytes that git prints; a status other than 0 is a ``ProcessFailure``.
    @discardableResult
    public func bytes(_ arguments: [String], input: [UInt8] = []) async throws -> [UInt8] {
        try await attempt(arguments, input: input).checked("git", arguments).output
    }
}

extension Repository {
    /// The `git` program in this repository.
    ///
    /// Where the folder alone would not lead git to it (`GIT_DIR`, `core.worktree`, a bare repository under
    /// `safe.bareRepository=explicit`), the environment does.
    public var git: Git {
        guard let workTree else { return Git(in: gitDirectory, environment: ["GIT_DIR": gitDirectory.string]) }
        if !backend.place.isFromEnvironment, Files.exists(workTree.appending(".git")) { return Git(in: workTree) }
        return Git(
            in: workTree, environment: ["GIT_DIR": gitDirectory.string, "GIT_WORK_TREE": workTree.string])
    }
}
