import Base
import SystemPackage
import TestSupport
import Testing
import Transport

@testable import Storage

/// The remotes that the conformance suite runs, each against a real server where there is one.
enum RemoteKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case directory
    case s3OfRclone = "S3, rclone"
    case s3OfMoto = "S3, moto"
    case googleByKeys = "Google, HMAC keys, rclone"
    case googleByToken = "Google, token, rclone"
    case azureByKey = "Azure, shared key"
    case azureByToken = "Azure, SAS"
    case lfs = "LFS"
    case ssh = "ssh"

    var testDescription: String { rawValue }
    /// Servers whose store is a folder that a test can look into.
    var isFolder: Bool { self == .directory || isOfGit || rawValue.hasSuffix("rclone") }
    /// Remotes that a repository's settings lead to, not the environment; their own suites have the faults.
    var isOfGit: Bool { self == .lfs || self == .ssh }
    static let buckets = allCases.filter { $0 != .directory && !$0.isOfGit }
}

/// One server for one test, and the environment that names it.
final class RemoteServer: Sendable {
    static let scripts = Places.package.appending("Tests").appending("Servers")
    static let python = Places.python.appending("python3")
    static let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldCE="

    let kind: RemoteKind
    let folder: TemporaryDirectory
    let environment: [String: String]
    let address: String
    /// Of the store itself, without a proxy.
    let port: Int
    private let processes: [BackgroundProcess]
    private let lfs: LFSServer?
    private let ssh: SSHServer?

    /// Puts a proxy before the server when `proxy` has arguments for it (`[]`: it only counts).
    init(_ kind: RemoteKind, proxy: [String]? = nil) async throws {
        self.kind = kind
        folder = try TemporaryDirectory()
        var processes: [BackgroundProcess] = []
        var port = 0
        switch kind {
        case .directory, .lfs, .ssh: break
        case .s3OfRclone, .googleByKeys, .googleByToken:
            try Files.makeDirectory(folder.path.appending("served").appending("bucket"))
            let keys = kind == .googleByToken ? [] : ["--auth-key", "AKIDEXAMPLE,\(Self.secret)"]
            port = freePort()
            processes.append(
                try await Self.start(
                    Places.python.appending("rclone"),
                    ["serve", "s3", "--addr", "127.0.0.1:\(port)", "-v", "--config", "/dev/null"] + keys
                        + [folder.path.appending("served").string],
                    folder, "server", until: "Starting s3 server"))
        case .s3OfMoto:
            port = freePort()
            processes.append(
                try await Self.start(
                    Places.python.appending("moto_server"), ["-H", "127.0.0.1", "-p", "\(port)"], folder, "server",
                    until: "Running on"))
        case .azureByKey, .azureByToken:
            let script = Self.scripts.appending("azure_server.py").string
            (port, processes) = try await Self.script(
                [script, "acme", Self.secret, "sig=a%2Bb&sv=2021-12-02"], folder, "server")
        }
        self.port = port
        lfs = kind == .lfs ? try await LFSServer(root: folder.path.appending("served")) : nil
        try await lfs?.makeRepository("bucket.git")
        ssh = kind == .ssh ? try await SSHServer(folder.path.appending("sshd")) : nil
        if let proxy, kind != .directory, !kind.isOfGit {
            let script = Self.scripts.appending("counting_proxy.py").string
            let (front, more) = try await Self.script([script, "\(port)"] + proxy, folder, "proxy")
            port = front
            processes += more
        }
        var environment = ["HOME": folder.path.string]
        switch kind {
        case .directory: address = "file://\(folder.path)/served/bucket/a%20b"
        case .lfs: address = "\(lfs?.url ?? "")/bucket.git"
        case .ssh: address = "ssh://\(ssh?.address ?? "")\(folder.path)/served/bucket/a%20b"
        case .s3OfRclone, .s3OfMoto:
            address = "s3://bucket/a b"
            environment["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:\(port)"
            environment["AWS_ACCESS_KEY_ID"] = "AKIDEXAMPLE"
            environment["AWS_SECRET_ACCESS_KEY"] = Self.secret
        case .googleByKeys:
            address = "gs://bucket/a b"
            environment["STORAGE_EMULATOR_HOST"] = "127.0.0.1:\(port)"
            environment["GS_ACCESS_KEY_ID"] = "AKIDEXAMPLE"
            environment["GS_SECRET_ACCESS_KEY"] = Self.secret
        case .googleByToken:
            address = "gs://bucket/a b"
            environment["STORAGE_EMULATOR_HOST"] = "127.0.0.1:\(port)"
            let (key, more) = try await Self.serviceAccount(folder)
            environment["GOOGLE_APPLICATION_CREDENTIALS"] = key
            processes += more
        case .azureByKey, .azureByToken:
            address = "az://acme/data/a b"
            environment["AZURE_STORAGE_ACCOUNT"] = "acme"
            environment["AZURE_STORAGE_SERVICE_ENDPOINT"] = "http://127.0.0.1:\(port)"
            environment[kind == .azureByKey ? "AZURE_STORAGE_KEY" : "AZURE_STORAGE_SAS_TOKEN"] =
                kind == .azureByKey ? Self.secret : "?sig=a%2Bb&sv=2021-12-02"
        }
        self.environment = environment
        self.processes = processes
        if kind == .s3OfMoto { _ = try await s3().client.send(S3Client.Call("PUT", nil)) }
    }

    private static func start(
        _ program: FilePath, _ arguments: [String], _ folder: TemporaryDirectory, _ name: String, until text: String
    ) async throws -> BackgroundProcess {
        let process = try BackgroundProcess(program, arguments, log: folder.path.appending(name + ".log"))
        _ = try await process.waitForLog(text)
        return process
    }

    /// Starts one of our own servers, which say on which port they listen.
    static func script(
        _ arguments: [String], _ folder: TemporaryDirectory, _ name: String
    ) async throws -> (port: Int, [BackgroundProcess]) {
        let process = try await start(python, arguments, folder, name, until: "ready")
        let log = try Files.readText(process.log) ?? ""
        let words = log.split(separator: " ")
        guard words.count > 1, let port = Int(words[1]) else { throw CancellationError() }
        return (port, [process])
    }

    /// A service account with a key of its own, and the server that gives tokens for it.
    private static func serviceAccount(
        _ folder: TemporaryDirectory
    ) async throws -> (file: String, [BackgroundProcess]) {
        let key = folder.path.appending("key.pem")
        let certificate = folder.path.appending("certificate.pem")
        _ = try await ChildProcess.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=robot", "-days", "2", "-keyout",
                key.string, "-out", certificate.string,
            ], in: folder.path, environment: [:], input: [])
        let (port, processes) = try await script(
            [scripts.appending("token_server.py").string, certificate.string], folder, "tokens")
        let text: JSON = [
            "type": "service_account", "client_email": "robot@example.iam.gserviceaccount.com",
            "private_key": .string(try Files.readText(key) ?? ""),
            "token_uri": .string("http://127.0.0.1:\(port)/token"),
        ]
        return (try folder.write("account.json", text.description).string, processes)
    }

    // MARK: Remotes

    private static let smallParts = PartSettings(threshold: 5 << 20, size: 5 << 20, width: 2)

    private func s3() throws -> S3Remote {
        let place = try BucketAddress(address, address.dropFirst(5))
        let remote =
            try kind.rawValue.hasPrefix("Google")
            ? S3Remote.google(place, environment) : S3Remote.amazon(place, environment)
        return S3Remote(remote.client, prefix: remote.prefix, parts: Self.smallParts)
    }

    /// The remote, with parts so small that tests send several.
    func remote() throws -> any ObjectRemote {
        switch kind {
        case .directory: try objectRemote(address, environment: environment)
        case .lfs:
            try LFSRemote(
                LFSContext(
                    LFSSettings(git: "remote.origin.url\n\(address)\0"), remote: "origin", directory: folder.path
                ) {
                    _, _ in ProcessResult(status: 1, output: [], errors: "")
                })
        case .ssh: try SSHRemote(address, settings: LFSSettings(git: "core.sshcommand\n\(ssh?.command ?? "")\0"))
        case .azureByKey, .azureByToken:
            try AzureRemote(BucketAddress(address, address.dropFirst(5)), environment, parts: Self.smallParts)
        default: try s3()
        }
    }

    /// The bytes that lie there, read by another program: boto3, Microsoft's library, or from the server's folder.
    func read(_ content: ContentID) async throws -> [UInt8]? {
        if kind.isFolder { return try Files.read(place(of: content)) }
        let key = "a b/" + content.key
        let out = folder.path.appending("read")
        let program =
            kind == .s3OfMoto
            ? """
            import boto3
            boto3.client("s3", endpoint_url="http://127.0.0.1:\(port)", region_name="us-east-1", aws_access_key_id="a",
                         aws_secret_access_key="b").download_file("bucket", "\(key)", "\(out)")
            """
            : """
            from azure.storage.blob import BlobClient
            client = BlobClient("http://127.0.0.1:\(port)", "data", "\(key)",
                                credential={"account_name": "acme", "account_key": "\(Self.secret)"})
            open("\(out)", "wb").write(client.download_blob().readall())
            """
        let result = try await ChildProcess.run(
            Self.python.string, ["-c", program], in: folder.path, environment: [:], input: [])
        guard result.status == 0 else {
            throw ProcessFailure.failed(command: "reading", status: result.status, errors: result.errors)
        }
        return try Files.read(out)
    }

    private var root: String { kind == .lfs ? "served/bucket.git/lfs/objects" : "served/bucket/a b" }

    private func place(of content: ContentID) -> FilePath {
        folder.path.appending(FilePath(root + "/" + content.key).components)
    }

    /// Puts content into the server's folder behind its back, without waiting for the disk.
    func place(_ texts: [String]) async throws {
        let program = """
            import hashlib, os, sys
            for text in sys.stdin.read().splitlines():
                oid = hashlib.sha256(text.encode()).hexdigest()
                os.makedirs(f"{oid[:2]}/{oid[2:4]}", exist_ok=True)
                open(f"{oid[:2]}/{oid[2:4]}/{oid}", "w").write(text)
            """
        let place = folder.path.appending(FilePath(root).components)
        try Files.makeDirectory(place)
        let result = try await ChildProcess.run(
            Self.python.string, ["-c", program], in: place, environment: [:],
            input: Array(texts.joined(separator: "\n").utf8))
        guard result.status == 0 else {
            throw ProcessFailure.failed(command: "placing", status: result.status, errors: result.errors)
        }
    }

    /// The requests that have gone through the proxy.
    func requests() throws -> [String] {
        (try Files.readText(folder.path.appending("proxy.log")) ?? "").split(separator: "\n").map(String.init)
            .filter { $0.hasPrefix("request") }
    }
}

/// Bytes that are the same in every run.
func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count { withUnsafeBytes(of: generator.next()) { bytes += $0 } }
    return Array(bytes[..<count])
}
