public import Base
public import SystemPackage

/// A folder with an environment of its own: a test sees neither the user's settings nor this machine's, and every
/// commit made in it has the same author and time.
public final class Sandbox: Sendable {
    public let directory: TemporaryDirectory
    /// Folders that come first on the PATH.
    private let programs: [FilePath]

    public var path: FilePath { directory.path }

    public init(programs: [FilePath] = []) throws {
        Hermetic.prepare()
        directory = try TemporaryDirectory()
        self.programs = programs
    }

    /// The environment of programs that the test starts.
    public var environment: [String: String?] {
        let before = environmentValue("PATH") ?? "/usr/bin:/bin"
        return [
            "PATH": (programs.map(\.string) + [before]).joined(separator: ":"),
            "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000", "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
        ]
    }

    /// Runs a program in a folder of the sandbox.
    public func run(
        _ program: String, _ arguments: [String], in folder: String = "", input: String = "",
        environment more: [String: String?] = [:]
    ) async throws -> ProcessResult {
        try await ChildProcess.run(
            program, arguments, in: path.appending(FilePath(folder).components),
            environment: environment.merging(more) { $1 }, input: Array(input.utf8))
    }

    /// Runs a shell line; a status other than 0 is an error.
    ///
    /// Returns what it printed.
    @discardableResult
    public func sh(_ line: String, in folder: String = "") async throws -> String {
        let result = try await run("/bin/sh", ["-ec", line], in: folder)
        guard result.status == 0 else {
            throw ProcessFailure.failed(command: line, status: result.status, errors: result.errors + result.text)
        }
        return result.text
    }

    /// Makes a repository with one commit in a folder of the sandbox.
    public func repository(_ folder: String = "work") async throws {
        try await sh("git init -q -b main '\(folder)' && cd '\(folder)' && git commit -q --allow-empty -m first")
    }
}

/// The environment of the test process itself, set once.
enum Hermetic {
    static func prepare() { _ = once }

    private static let once: Void = {
        for name in ChildProcess.repositoryVariables + ["GIT_CONFIG", "GIT_LFS_SKIP_SMUDGE", "GIT_ML_SHARE"] {
            unsetenv(name)
        }
        let home = FilePath(environmentValue("TMPDIR") ?? "/tmp").appending("git-ml-test-home-\(getpid())")
        let settings = """
            [user]
            name = ann
            email = ann@example.com
            [init]
            defaultBranch = main
            [protocol "file"]
            allow = always

            """
        try? Files.replace(home.appending(".gitconfig"), with: settings.utf8)
        setenv("HOME", home.string, 1)
        setenv("XDG_CONFIG_HOME", home.appending(".config").string, 1)
        setenv("GIT_CONFIG_NOSYSTEM", "1", 1)
        setenv("GIT_TERMINAL_PROMPT", "0", 1)
        atexit { try? Files.removeTree(FilePath(environmentValue("HOME") ?? "/nonexistent")) }
    }()
}

/// A generator whose numbers are the same in every run (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
