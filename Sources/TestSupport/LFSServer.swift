public import Base
public import SystemPackage

/// `Tests/Servers/lfs_server.py`: git and LFS over HTTP for the bare repositories of a folder, misbehaving when told to.
public final class LFSServer: Sendable {
    private let process: BackgroundProcess
    private let root: FilePath
    public let url: String

    /// `users` are `name:password`; with none, nobody is asked.
    public init(root: FilePath, users: [String] = [], options: [String] = [], variables: [String: String] = [:])
        async throws
    {
        self.root = root
        try Files.makeDirectory(root)
        guard let python = ChildProcess.find("python3") else { throw ProcessFailure.notFound(program: "python3") }
        let script = Places.package.appending("Tests").appending("Servers").appending("lfs_server.py")
        process = try BackgroundProcess(
            python,
            [script.string, root.string, "--faults", root.appending("faults.json").string] + options
                + users.flatMap { ["--user", $0] },
            log: root.appending("log-\(UUIDv7())"), variables: variables)
        let line = try await process.waitForLog("listening on ").split(separator: "\n").first ?? ""
        url = String(line.dropFirst("listening on ".count))
    }

    /// A bare repository; returns the folder of its LFS objects.
    @discardableResult
    public func makeRepository(_ name: String = "r.git") async throws -> FilePath {
        try await ChildProcess.check("git", ["init", "-q", "--bare", "-b", "main", root.appending(name).string])
        return root.appending(name).appending("lfs").appending("objects")
    }

    /// Sets the switches that the server's own text describes, as JSON.
    public func misbehave(_ json: String) throws {
        try Files.replace(root.appending("faults.json"), with: json.utf8)
    }

    /// What it was asked since the start: the lines of its log.
    public func requests() throws -> [JSON] {
        (try Files.readText(process.log) ?? "").split(separator: "\n").dropFirst().compactMap {
            try? JSON.parse(String($0))
        }
    }

    /// How many requests with a method there were to paths that end so.
    public func count(_ method: String, _ suffix: String, status: Int64? = nil) throws -> Int {
        try requests().count { request in
            request["method"]?.string == method && request["path"]?.string?.hasSuffix(suffix) == true
                && (status == nil || request["status"]?.int == status)
        }
    }
}
