public import Base
public import SystemPackage

/// `Tests/Servers/registry.py`: a container registry, misbehaving when told to, and a second host beside it.
public final class RegistryServer: Sendable {
    private let process: BackgroundProcess
    private let faults: FilePath
    /// `127.0.0.1:PORT`.
    public let host: String
    /// Where redirects and uploads to other hosts lead.
    public let other: String

    /// `options` are those of the script.
    public init(_ folder: FilePath, _ options: String...) async throws {
        faults = folder.appending("faults-\(UUIDv7()).json")
        guard let python = ChildProcess.find("python3") else { throw ProcessFailure.notFound(program: "python3") }
        let script = Places.package.appending("Tests").appending("Servers").appending("registry.py")
        process = try BackgroundProcess(
            python, [script.string, "--faults", faults.string] + options, log: folder.appending("registry-\(UUIDv7())"))
        let line = try await process.waitForLog(" and ").split(separator: "\n").first ?? ""
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 5 else { throw ProcessFailure.notFound(program: "registry.py") }
        (host, other) = (words[2], words[4])
    }

    /// Sets the switches that the script's own text describes, as JSON.
    public func misbehave(_ json: String) throws { try Files.replace(faults, with: json.utf8) }

    /// What it was asked since the start: the lines of its log.
    public func requests() throws -> [JSON] {
        (try Files.readText(process.log) ?? "").split(separator: "\n").dropFirst().compactMap {
            try? JSON.parse(String($0))
        }
    }

    /// Requests with a method whose path holds a text.
    public func requests(_ method: String, _ part: String) throws -> [JSON] {
        try requests().filter { request in
            request["method"]?.string == method && request["path"]?.string?.contains(part) == true
        }
    }
}

/// Debian's `docker-registry` with a folder of its own.
public final class DockerRegistry: Sendable {
    private let process: BackgroundProcess
    /// `127.0.0.1:PORT`.
    public let host: String

    /// With `passwords`, the file of `htpasswd -B`, nobody gets in without one.
    public init(_ folder: FilePath, passwords: FilePath? = nil) async throws {
        let port = freePort()
        host = "127.0.0.1:\(port)"
        let settings = folder.appending("registry-\(port).yml")
        let login = passwords.map { "auth: {htpasswd: {realm: registry, path: \($0)}}\n" } ?? ""
        try Files.replace(
            settings,
            with: """
                version: 0.1
                storage: {filesystem: {rootdirectory: \(folder)/registry-\(port)}, delete: {enabled: true}}
                http: {addr: "\(host)"}
                \(login)
                """.utf8)
        guard let program = ChildProcess.find("docker-registry") else {
            throw ProcessFailure.notFound(program: "docker-registry")
        }
        process = try BackgroundProcess(
            program, ["serve", settings.string], log: folder.appending("registry-\(port).log"),
            variables: ["OTEL_TRACES_EXPORTER": "none"])
        _ = try await process.waitForLog("listening on")
    }

    /// How many requests with a method were answered with a status.
    public func count(_ method: String, _ status: Int) throws -> Int {
        (try Files.readText(process.log) ?? "").split(separator: "\n").count {
            $0.contains("\"\(method) /v2/") && $0.contains("\" \(status) ")
        }
    }
}
