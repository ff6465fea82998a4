internal import Base
internal import Images
public import SystemPackage
internal import Transport

/// Serves a stage as processes of this machine.
///
/// A new server starts beside the old one on a port of its own, and a small switch on the stage's port sends new
/// connections to whichever is active. All of it outlives the runner.
///
/// The folder of a stage holds `active.json` (which server gets the traffic), `switch.json` (the switch and its port),
/// `releases/<digest>` (unpacked images, and in `start.json` what starts each) and logs.
public struct LocalTarget: Sendable {
    let directory: FilePath
    let program: FilePath

    public init(directory: FilePath, program: FilePath) {
        self.directory = directory
        self.program = program
    }

    /// A folder name for a model's stage; different pairs never share one.
    public static func name(_ model: String, _ stage: String) -> String {
        func plain(_ text: String) -> String {
            text.utf8.map { unit in
                let isPlain =
                    (48...57).contains(unit) || (65...90).contains(unit) || (97...122).contains(unit) || unit == 45
                return isPlain ? String(UnicodeScalar(unit)) : "_" + Hex.encode([unit])
            }.joined()
        }
        return "\(plain(model)).\(plain(stage))"
    }

    /// The folder of a model's stage.
    static func directory(_ places: Runner.Places, model: String, stage: String) -> FilePath {
        places.state.appending("local").appending(name(model, stage))
    }

    var activeFile: FilePath { directory.appending("active.json") }
    var candidateFile: FilePath { directory.appending("candidate.json") }
    var previousFile: FilePath { directory.appending("previous.json") }
    private var startingFile: FilePath { directory.appending("starting") }

    /// The server of that image which runs, be it live or not yet; nil when there is none.
    func server(of digest: Digest) throws -> Server? {
        try [activeFile, candidateFile].lazy.compactMap { try Server($0) }.first {
            $0.digest == digest && $0.process.isRunning
        }
    }

    func server(of deployment: Deployment) throws -> Server {
        if let server = try server(of: deployment.digest) { return server }
        let log = try Server(candidateFile).map { ": \(Self.tail(FilePath($0.log)))" } ?? ""
        throw ProbeFailure("the server of \(deployment.digest.short) does not run any more" + log)
    }

    // MARK: - Starting

    /// Starts the server of a release, and waits for its port.
    func start(_ like: Server, until deadline: ContinuousClock.Instant) async throws -> Server {
        let root = directory.appending("releases").appending(like.digest.hex)
        try endUnknown()
        let log = directory.appending("logs").appending("\(like.digest.short)-\(UUIDv7()).log")
        let portFile = log.removingLastComponent().appending("\(UUIDv7()).port")
        defer { Files.remove(portFile) }
        try Files.makeDirectory(log.removingLastComponent())
        try Files.replace(startingFile, with: portFile.string.utf8)
        let server = try ServerProgram(root, portFile: portFile)
        let marked = [Self.mark: portFile.string]
        let id = try Daemon.start(
            server.program, server.arguments,
            environment: Self.environment.merging(server.variables) { $1 }.merging(marked) { $1 }, log: log)
        let process = ProcessIdentity(id)
        while ContinuousClock.now < deadline {
            guard process.isRunning else {
                throw ProbeFailure("the server ended before it was ready: \(Self.tail(log))")
            }
            if let port = try server.port ?? Files.readText(portFile).flatMap({ Int($0) }) {
                return like.running(process, port: port, log: log.string)
            }
            try await Task.sleep(for: .milliseconds(30))
        }
        process.signal(SIGKILL)
        throw ProbeFailure("the server was not ready in time: \(Self.tail(log))")
    }

    /// The variable by which a server is known that nothing else tells of: it keeps it whatever program it becomes.
    private static let mark = "GIT_ML_SERVER"

    /// Ends a server whose runner was killed before it could write down what it had started.
    private func endUnknown() throws {
        guard let mark = try Files.readText(startingFile), !mark.isEmpty else { return }
        let known = try [activeFile, candidateFile, previousFile].compactMap { try Server($0)?.process.id }
        for name in try Files.list("/proc") {
            guard let id = Int32(name), !known.contains(id),
                let words = try? Files.readText(FilePath("/proc/\(id)/environ")),
                words.contains("\(Self.mark)=\(mark)")
            else { continue }
            ProcessIdentity(id).signal(SIGKILL)
        }
    }

    /// Returns once a server answers at a path that it is ready.
    func ready(_ server: Server, _ path: String, until deadline: ContinuousClock.Instant) async throws {
        let log = FilePath(server.log)
        while ContinuousClock.now < deadline {
            guard server.process.isRunning else {
                throw ProbeFailure("the server ended before it was ready: \(Self.tail(log))")
            }
            let answer = try? await HTTPClient.send(
                "GET", "http://127.0.0.1:\(server.port)\(path)", timeout: .seconds(2))
            if answer?.status == 200 { return }
            try await Task.sleep(for: .milliseconds(30))
        }
        throw ProbeFailure("the server was not ready in time: \(Self.tail(log))")
    }

    /// What a served model may see of the runner's environment.
    private static var environment: [String: String] {
        let allowed = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"]
        var environment = Daemon.currentEnvironment().filter { allowed.contains($0.key) }
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        return environment
    }

    static func tail(_ log: FilePath) -> String {
        let text = (try? Files.readText(log)) ?? ""
        return text.isEmpty
            ? "it printed nothing (\(log))" : String(text.suffix(800)).trimmingTrailingSpace + " (\(log))"
    }

    func unpack(_ package: BuiltPackage, _ digest: Digest) async throws {
        let root = directory.appending("releases").appending(digest.hex)
        if Files.exists(root) { return }
        let incoming = directory.appending("releases").appending("incoming-\(UUIDv7())")
        try Files.makeDirectory(incoming)
        do {
            // The base is for containers; here it is this machine.
            for layer in package.image.layers where layer.kind != .base {
                let blob = try await package.file(of: layer)
                guard try Digest.of(file: blob).digest == layer.descriptor.digest else {
                    throw ImageFailure.malformed(place: blob.string, reason: "its bytes do not match its digest")
                }
                try await ChildProcess.check(
                    "tar",
                    ["--extract", "--no-same-owner", "--file", blob.string, "--directory", incoming.string])
            }
            try ServerProgram.note(package, in: incoming)
            try Files.rename(incoming, to: root)
        } catch {
            try? Files.removeTree(incoming)
            throw error
        }
    }

    // MARK: - Switching

    /// Sends new connections to a server.
    func switchTo(_ server: Server, host: String, port: Int64) async throws -> String {
        try Files.replace(activeFile, with: server.text.utf8)
        return try await runningSwitch(host: host, port: port)
    }

    /// Lets a server finish what it has, unless it gets the traffic.
    func end(_ server: Server?) async throws {
        guard let server, try active() != server.process, server.process.isRunning else { return }
        try await Task.sleep(for: .milliseconds(200))  // connections that the switch is just now passing on
        server.process.signal(SIGTERM)
    }

    /// What is served from a runner's state folder, by folder name.
    public static func all(state: FilePath, program: FilePath) throws -> [LocalTarget] {
        let folder = state.appending("local")
        return try Files.list(folder).map { LocalTarget(directory: folder.appending($0), program: program) }
    }

    /// What is known of the server that gets the traffic; nil when there never was one.
    public func status() throws -> Status? {
        guard let server = try Server(activeFile) else { return nil }
        let isSwitched = try self.process(in: "switch.json")?.isRunning == true
        return Status(
            model: server.model, stage: server.stage, version: server.version, revision: server.revision,
            address: try address(directory.appending("switch.json")), process: server.process.id,
            isRunning: server.process.isRunning && isSwitched)
    }

    /// A stage as this machine serves it.
    public struct Status: Sendable {
        public let model: String
        public let stage: String
        public let version: String
        public let revision: String
        public let address: String?
        public let process: Int32
        public let isRunning: Bool
    }

    /// Ends the switch, lets the server finish what it has, and waits until both are gone.
    ///
    /// Returns false when neither ran.
    public func stop() async throws -> Bool {
        let running = try [process(in: "switch.json"), active()].compactMap { $0 }.filter(\.isRunning)
        for process in running { process.signal(SIGTERM) }
        for _ in 0..<150 where running.contains(where: \.isRunning) {
            try await Task.sleep(for: .milliseconds(100))
        }
        for process in running { process.signal(SIGKILL) }
        return !running.isEmpty
    }

    private func active() throws -> ProcessIdentity? { try Server(activeFile)?.process }

    private func process(in name: String) throws -> ProcessIdentity? {
        guard let text = try Files.readText(directory.appending(name)), let json = try? JSON.parse(text),
            let id = json["pid"]?.int
        else { return nil }
        return ProcessIdentity(id: Int32(truncatingIfNeeded: id), began: json["began"]?.string ?? "")
    }

    private func runningSwitch(host: String, port: Int64) async throws -> String {
        let file = directory.appending("switch.json")
        if try process(in: "switch.json")?.isRunning == true, let address = try address(file) { return address }
        // The port of before, so that the address stays when only the switch had died.
        let before = try Files.readText(file).flatMap { try? JSON.parse($0)["port"]?.int }
        Files.remove(file)
        let log = directory.appending("logs").appending("switch.log")
        _ = try Daemon.start(
            program, ["switch", "--host", host, "--port", "\(port > 0 ? port : before ?? 0)", directory.string],
            environment: Self.environment, log: log)
        for _ in 0..<200 {
            if let address = try address(file) { return address }
            try await Task.sleep(for: .milliseconds(25))
        }
        throw ProbeFailure("the switch did not start: \(Self.tail(log))")
    }

    func address(_ file: FilePath) throws -> String? {
        try Files.readText(file).flatMap { try? JSON.parse($0)["address"]?.string }
    }
}
