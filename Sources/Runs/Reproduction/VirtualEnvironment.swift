public import Base
internal import GitKit
internal import SystemPackage

/// A Python environment made from a lock file, kept in `<common>/ml/cache/venvs` under the file's digest.
struct VirtualEnvironment: Sendable {
    /// The variables that put a command into it.
    let variables: [String: String]
    private let root: FilePath

    private init(_ root: FilePath, code: FilePath) {
        self.root = root
        let path = environmentValue("PATH") ?? "/usr/bin:/bin"
        var variables = ["VIRTUAL_ENV": root.string, "PATH": "\(root.appending("bin")):\(path)", "PYTHONHOME": ""]
        let sources = code.appending("src")
        // The project itself is not installed: its path would be this work tree's, and the environment stays.
        if Files.status(sources)?.kind == .directory { variables["PYTHONPATH"] = sources.string }
        self.variables = variables
    }

    /// The command as it runs in the environment: a Python that was named by its path is this one's.
    func command(_ command: [String]) -> [String] {
        guard let program = command.first, program.contains("/"),
            let name = FilePath(program).lastComponent?.string, name.hasPrefix("python")
        else { return command }
        return [root.appending("bin").appending("python3").string] + command.dropFirst()
    }

    /// The environment of a work tree, made when there is none for its lock file yet.
    ///
    /// `version` is the recorded version of Python: its interpreter is taken when it is installed.
    static func prepare(
        for code: FilePath, in owner: Repository, version: String?, say: (String) -> Void
    ) async throws -> VirtualEnvironment {
        let lock = try LockFile(in: code)
        let python = try interpreter(version)
        let minor = try await ChildProcess.check(
            python.string, ["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"])
        let name = "\(lock.digest.hex)-python\(minor.trimmed)"
        let root = owner.mlDirectory.appending("cache").appending("venvs").appending(name)
        let guardian = try FileLock.wait(root.removingLastComponent().appending(name + ".lock"))
        defer { extendLifetime(guardian) }
        if !Files.exists(root.appending("complete")) {
            say("building the environment of \(lock.name)")
            try Files.removeTree(root)
            try await build(root, lock, python, code)
            try Files.replace(root.appending("complete"), with: [])
        }
        return VirtualEnvironment(root, code: code)
    }

    private static func build(_ root: FilePath, _ lock: LockFile, _ python: FilePath, _ code: FilePath) async throws {
        switch lock.tool {
        case .uv(let program):
            let words = ["sync", "--frozen", "--no-install-project", "--python", python.string]
            try await run(program, words, lock, in: code, ["UV_PROJECT_ENVIRONMENT": root.string, "VIRTUAL_ENV": nil])
        case .pip:
            try await run(python, ["-m", "venv", root.string], lock, in: code)
            let words = [
                "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r", lock.name,
            ]
            try await run(root.appending("bin").appending("python3"), words, lock, in: code, ["VIRTUAL_ENV": nil])
        }
    }

    private static func run(
        _ program: FilePath, _ words: [String], _ lock: LockFile, in code: FilePath,
        _ environment: [String: String?] = [:]
    ) async throws {
        let result = try await ChildProcess.run(program.string, words, in: code, environment: environment)
        guard result.status == 0 else {
            let text = result.errors.isEmpty ? result.text : result.errors
            let lines = text.split(separator: "\n").suffix(3).joined(separator: " / ")
            throw EnvironmentFailure.notBuilt(lock: lock.name, reason: Secrets.masked(text: lines))
        }
    }

    private static func interpreter(_ version: String?) throws -> FilePath {
        let parts = version?.split(separator: ".").prefix(2) ?? []
        if parts.count == 2, parts.allSatisfy({ Int($0) != nil }),
            let python = ChildProcess.find("python" + parts.joined(separator: "."))
        {
            return python
        }
        guard let python = ChildProcess.find("python3") else { throw ProcessFailure.notFound(program: "python3") }
        return python
    }
}

/// The lock file that an environment can be made from.
private struct LockFile {
    enum Tool {
        case uv(FilePath)
        case pip
    }

    let name: String
    let digest: Digest
    let tool: Tool

    init(in code: FilePath) throws {
        func bytes(_ name: String) throws -> [UInt8]? { try Files.read(code.appending(name)) }
        let uv = ChildProcess.find("uv")
        if let uv, let bytes = try bytes("uv.lock") {
            (name, digest, tool) = ("uv.lock", .of(bytes), .uv(uv))
            return
        }
        for name in ["requirements.lock", "requirements.txt"] {
            guard let bytes = try bytes(name) else { continue }
            (self.name, digest, tool) = (name, .of(bytes), .pip)
            return
        }
        let others = ["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "conda-lock.yml", "pixi.lock", "renv.lock"]
        let found = try others.filter { try bytes($0) != nil }
        throw EnvironmentFailure.noLock(found: found)
    }
}

/// Why an environment could not be rebuilt.
public enum EnvironmentFailure: Failure, Equatable {
    /// `found` are lock files that are there and cannot be used.
    case noLock(found: [String])
    case notBuilt(lock: String, reason: String)

    public var kind: FailureKind { .user }
    public var description: String {
        switch self {
        case .noLock(let found) where found.isEmpty:
            "the run's code has no lock file to rebuild its environment from"
        case .noLock(let found):
            "the environment cannot be rebuilt from \(found.joined(separator: ", ")): uv.lock needs uv, and the others are not supported"
        case .notBuilt(let lock, let reason): "the environment of \(lock) could not be built: \(reason)"
        }
    }
    public var hints: [String] {
        switch self {
        case .noLock(let found):
            (found.contains("uv.lock") ? ["install uv"] : []) + ["run without --env in an environment of your own"]
        case .notBuilt: ["see that the packages can be reached, or run without --env in an environment of your own"]
        }
    }
}
