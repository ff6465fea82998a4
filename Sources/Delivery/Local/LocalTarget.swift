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
/// `releases/<digest>` (unpacked images) and logs.
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

    struct Release {
        let model: String
        let stage: String
        let version: String
        let revision: String
    }

    /// A server that answers, and gets no traffic yet.
    struct Candidate {
        let process: ProcessIdentity
        let port: Int
        let digest: Digest
        let release: Release
        let log: FilePath
    }

    // MARK: - Starting

    /// Unpacks the image and starts its server; returns once it is ready.
    func start(_ package: BuiltPackage, within limit: Duration, release: Release) async throws -> Candidate {
        let digest = package.image.manifest.digest
        let root = try await unpack(package, digest)
        guard let python = ChildProcess.find("python3") else { throw ProcessFailure.notFound(program: "python3") }
        let log = directory.appending("logs").appending("\(digest.short)-\(UUIDv7()).log")
        let portFile = log.removingLastComponent().appending("\(UUIDv7()).port")
        defer { Files.remove(portFile) }
        try Files.makeDirectory(log.removingLastComponent())
        let id = try Daemon.start(
            python,
            [
                root.appending("app").appending("serve").appending("server.py").string, "--host", "127.0.0.1", "--port",
                "0",
                "--port-file", portFile.string,
            ], environment: Self.environment, log: log)
        let process = ProcessIdentity(id)
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            guard process.isRunning else {
                throw ProbeFailure("the server ended before it was ready: \(Self.tail(log))")
            }
            if let text = try Files.readText(portFile), let port = Int(text),
                let answer = try? await HTTPClient.send(
                    "GET", "http://127.0.0.1:\(port)/v2/health/ready", timeout: .seconds(2)), answer.status == 200
            {
                return Candidate(process: process, port: port, digest: digest, release: release, log: log)
            }
            try await Task.sleep(for: .milliseconds(30))
        }
        process.signal(SIGKILL)
        throw ProbeFailure("the server was not ready within \(limit): \(Self.tail(log))")
    }

    /// What a served model may see of the runner's environment.
    private static var environment: [String: String] {
        let allowed = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"]
        var environment = Daemon.currentEnvironment().filter { allowed.contains($0.key) }
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        return environment
    }

    private static func tail(_ log: FilePath) -> String {
        let text = (try? Files.readText(log)) ?? ""
        return text.isEmpty
            ? "it printed nothing (\(log))" : String(text.suffix(800)).trimmingTrailingSpace + " (\(log))"
    }

    private func unpack(_ package: BuiltPackage, _ digest: Digest) async throws -> FilePath {
        let root = directory.appending("releases").appending(digest.hex)
        if Files.exists(root) { return root }
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
            try Files.rename(incoming, to: root)
        } catch {
            try? Files.removeTree(incoming)
            throw error
        }
        return root
    }

    // MARK: - Switching

    /// Sends new connections to the candidate, then lets the old server finish what it has.
    func promote(_ candidate: Candidate, host: String, port: Int64) async throws -> String {
        let old = try active()
        let json: JSON = [
            "port": .int(Int64(candidate.port)), "pid": .int(Int64(candidate.process.id)),
            "began": .string(candidate.process.began), "digest": .string("\(candidate.digest)"),
            "model": .string(candidate.release.model), "stage": .string(candidate.release.stage),
            "version": .string(candidate.release.version), "revision": .string(candidate.release.revision),
        ]
        try Files.replace(directory.appending("active.json"), with: "\(json)\n".utf8)
        let address = try await runningSwitch(host: host, port: port)
        if let old, old != candidate.process {
            try await Task.sleep(for: .milliseconds(200))  // connections that the switch is just now passing on
            old.signal(SIGTERM)
        }
        return address
    }

    /// Ends a server that gets no traffic.
    func discard(_ candidate: Candidate) {
        if (try? active()) != candidate.process { candidate.process.signal(SIGTERM) }
    }

    /// What is served from a runner's state folder, by folder name.
    public static func all(state: FilePath, program: FilePath) throws -> [LocalTarget] {
        let folder = state.appending("local")
        return try Files.list(folder).map { LocalTarget(directory: folder.appending($0), program: program) }
    }

    /// What is known of the server that gets the traffic; nil when there never was one.
    public func status() throws -> Status? {
        guard let text = try Files.readText(directory.appending("active.json")), let json = try? JSON.parse(text),
            let process = try active()
        else { return nil }
        let isSwitched = try self.process(in: "switch.json")?.isRunning == true
        return Status(
            model: json["model"]?.string ?? "", stage: json["stage"]?.string ?? "",
            version: json["version"]?.string ?? "", revision: json["revision"]?.string ?? "",
            address: try address(directory.appending("switch.json")), process: process.id,
            isRunning: process.isRunning && isSwitched)
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

    private func active() throws -> ProcessIdentity? { try process(in: "active.json") }

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

    private func address(_ file: FilePath) throws -> String? {
        try Files.readText(file).flatMap { try? JSON.parse($0)["address"]?.string }
    }
}
