internal import Base
public import SystemPackage

/// An OpenSSH server of its own on loopback, with its own keys and settings; needs no root.
public final class SSHServer: Sendable {
    private let process: BackgroundProcess
    private let folder: FilePath
    /// `user@127.0.0.1:port`.
    public let address: String
    public let port: Int
    public let user: String
    /// The value for `GIT_SSH_COMMAND` or `core.sshCommand` with which a client gets in.
    public var command: String {
        "ssh -i \(folder)/key -o UserKnownHostsFile=\(folder)/known -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
            + " -o BatchMode=yes -F none"
    }

    /// `programs` is a folder that comes first on the PATH of what the account runs.
    public init(_ folder: FilePath, programs: FilePath? = nil) async throws {
        self.folder = folder
        try Files.makeDirectory(folder)
        guard let sshd = ChildProcess.find("sshd", path: "/usr/sbin:/usr/bin:/usr/local/sbin"),
            let keygen = ChildProcess.find("ssh-keygen")
        else { throw ProcessFailure.notFound(program: "sshd") }
        for name in ["key", "host"] {
            try await ChildProcess.check(
                keygen.string, ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", folder.appending(name).string])
        }
        user = try await ChildProcess.check("id", ["-un"]).trimmed
        port = freePort()
        address = "\(user)@127.0.0.1:\(port)"
        let key = try Files.readText(folder.appending("key.pub")) ?? ""
        let host = try Files.readText(folder.appending("host.pub")) ?? ""
        try Files.replace(folder.appending("authorized"), with: key.utf8, mode: 0o600)
        try Files.replace(folder.appending("known"), with: "[127.0.0.1]:\(port) \(host)".utf8)
        let path = (programs.map { "\($0):" } ?? "") + (environmentValue("PATH") ?? "/usr/bin:/bin")
        try Files.replace(
            folder.appending("sshd_config"),
            with: """
                Port \(port)
                ListenAddress 127.0.0.1
                HostKey \(folder)/host
                AuthorizedKeysFile \(folder)/authorized
                PidFile none
                StrictModes no
                UsePAM no
                PasswordAuthentication no
                LogLevel VERBOSE
                MaxStartups 1000
                MaxSessions 1000
                Subsystem sftp internal-sftp
                SetEnv PATH=\(path) GIT_CONFIG_NOSYSTEM=1

                """.utf8)
        try? Files.makeDirectory("/run/sshd")  // asked for where sshd runs as root
        process = try BackgroundProcess(
            sshd, ["-D", "-e", "-f", folder.appending("sshd_config").string], log: folder.appending("log"))
        _ = try await process.waitForLog("Server listening")
    }

    /// How many connections were let in.
    public func connections() throws -> Int {
        (try Files.readText(process.log) ?? "").split(separator: "\n").count { $0.contains("Accepted publickey") }
    }
}
