internal import Base
internal import Synchronization
internal import SystemPackage

/// A repository through `git` processes: for those that libgit2 cannot open, and for history in shallow clones.
///
/// Objects are read through one long-lived `git cat-file`; everything else starts a process of its own (1 to 2 ms).
final class ProgramBackend: RepositoryBackend {
    let place: RepositoryPlace
    let environment: [String: String]
    let git: FilePath
    let state = Mutex(State())

    struct State {
        var reader: ObjectReader?
        /// Objects that were written and that git does not have yet, in their order.
        var pending: [(id: ObjectID, kind: ObjectKind, bytes: [UInt8])] = []
        var position: [ObjectID: Int] = [:]
        var pendingBytes = 0
        /// How many callers will flush by themselves.
        var holders = 0
    }

    init(_ place: RepositoryPlace) throws {
        git = try Self.findGit()
        self.place = place
        environment = Self.environment(of: place)
    }

    /// Opens the repository that `path` is in, or the one that the environment names.
    convenience init(_ path: FilePath, fromEnvironment: Bool) throws {
        let git = try Self.findGit()
        var environment = Daemon.currentEnvironment()
        if !fromEnvironment { for name in ChildProcess.repositoryVariables { environment[name] = nil } }
        func ask(_ words: [String], at path: FilePath, environment: [String: String]) throws -> ProcessResult {
            try BlockingProcess.run(
                git, ["rev-parse", "--path-format=absolute"] + words,
                environment: environment.merging(["LC_ALL": "C"]) { $1 }, in: path)
        }
        let seen = try ask(
            ["--git-dir", "--git-common-dir", "--show-object-format", "--is-bare-repository", "--show-toplevel"],
            at: path, environment: environment)
        let lines = seen.text.split(separator: "\n").map(String.init)
        guard lines.count >= 4, let format = ObjectFormat(rawValue: lines[2]) else {
            if seen.errors.contains("not a git repository") {
                throw GitFailure.noRepository(at: path == "." ? "this folder" : path.string)
            }
            throw Self.failure("open the repository at \(path)", seen)
        }
        var top = lines.count > 4 ? FilePath(lines[4]) : nil
        if top == nil, lines[3] == "false" {
            // Inside of the repository's own folder: the top is where its settings say, or what it lies in.
            environment["GIT_DIR"] = lines[0]
            let parent = FilePath(lines[0]).removingLastComponent()
            top = try FilePath(ask(["--show-toplevel"], at: parent, environment: environment).trimmed)
        }
        try self.init(
            RepositoryPlace(
                gitDirectory: FilePath(lines[0]), commonDirectory: FilePath(lines[1]), workTree: top, format: format,
                isFromEnvironment: fromEnvironment && environmentValue("GIT_DIR") != nil))
    }

    private static func findGit() throws -> FilePath {
        guard let git = ChildProcess.find("git") else { throw ProcessFailure.notFound(program: "git") }
        return git
    }

    /// What git sees: this repository, whatever lies around; the hook's own object folder where a push is in
    /// quarantine; no replaced objects, as libgit2 knows none; no questions.
    private static func environment(of place: RepositoryPlace) -> [String: String] {
        var environment = Daemon.currentEnvironment()
        let kept = ["GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH"]
        for name in ChildProcess.repositoryVariables where !place.isFromEnvironment || !kept.contains(name) {
            environment[name] = nil
        }
        // git runs at the top of the work tree: a path that a hook got is relative to where that one runs.
        if let here = Files.currentDirectory() {
            for name in kept {
                environment[name] = environment[name]?.split(separator: ":").map { path in
                    path.hasPrefix("/") ? String(path) : here.appending(FilePath(String(path)).components).string
                }.joined(separator: ":")
            }
        }
        environment["GIT_DIR"] = place.gitDirectory.string
        environment["GIT_WORK_TREE"] = place.workTree?.string
        environment["GIT_NO_REPLACE_OBJECTS"] = "1"
        environment["GIT_TERMINAL_PROMPT"] = "0"
        environment["LC_ALL"] = "C"
        return environment
    }

    /// Runs git with what it printed as the result, whatever its status.
    func attempt(_ arguments: [String], input: [UInt8] = []) throws -> ProcessResult {
        try BlockingProcess.run(
            git, arguments, environment: environment, in: place.workTree ?? place.gitDirectory, input: input)
    }

    /// Runs git; a status other than 0 is a failure to do `action`.
    func run(_ action: @autoclosure () -> String, _ arguments: [String], input: [UInt8] = []) throws -> ProcessResult {
        let result = try attempt(arguments, input: input)
        guard result.status == 0 else { throw Self.failure(action(), result) }
        return result
    }

    static func failure(_ action: String, _ result: ProcessResult) -> GitFailure {
        let words = result.errors.split(separator: "\n").map(String.init)
        let line = words.first { $0.hasPrefix("fatal: ") } ?? words.first ?? "git ended with status \(result.status)"
        return .library(
            action: action, code: result.status,
            message: line.hasPrefix("fatal: ") ? String(line.dropFirst(7)) : line)
    }

    // MARK: Settings

    func setting(_ key: String) throws -> String? {
        let result = try attempt(["config", "--get", "--null", key])
        guard result.status == 0 else {
            if result.status == 1 { return nil }
            throw Self.failure("read the setting \(key)", result)
        }
        return result.text.split(separator: "\0", omittingEmptySubsequences: false).first.map(String.init)
    }

    func remotes() throws -> [String] {
        try run("list the remotes", ["remote"]).text.split(separator: "\n").map(String.init)
    }
}
