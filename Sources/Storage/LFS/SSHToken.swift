internal import Base
internal import SystemPackage

/// What `git-lfs-authenticate` says at an ssh account: where the LFS server is, and headers that open it.
struct SSHToken: Sendable, Equatable {
    /// Nil: where one would guess.
    var href: String?
    var headers: [String: String] = [:]
    var expires: Timestamp?

    var isExpired: Bool { expires.map { Timestamp.now().advanced(bySeconds: 5) >= $0 } ?? false }

    /// Asks; an account without that command gives an empty token, so that the guessed address is tried.
    static func ask(_ account: SSHAccount, _ direction: TransferDirection, _ settings: LFSSettings) async throws
        -> SSHToken
    {
        let ssh = SSHCommand(settings)
        let operation = direction == .upload ? "upload" : "download"
        // The account's shell reads this line, so the path is quoted where it needs it.
        let line = "git-lfs-authenticate \(shellQuoted(account.path)) \(operation)"
        let asked = Timestamp.now()
        let result = try await ChildProcess.run(
            ssh.program, ssh.arguments(account, command: line), environment: ["LC_ALL": "C"])
        guard result.status == 0 else {
            if isUnavailable(result) { return SSHToken() }
            let words = LFSRefusal.clean(result.errors.trimmingTrailingSpace)
            throw RemoteFailure(
                .unauthorized, address: account.host,
                detail: "`ssh … git-lfs-authenticate` ended with status \(result.status)"
                    + (words.isEmpty ? "" : ": \(words)"),
                retryable: false, hints: ["try `ssh \(account.host) \(line)` by hand"])
        }
        if result.trimmed.isEmpty { return SSHToken() }
        guard let json = try? JSON.parse(result.output), json.members != nil else {
            throw RemoteFailure(
                .unexpectedAnswer, address: account.host, detail: "`git-lfs-authenticate` did not answer in JSON",
                hints: ["a login script there may print something: its output must stay empty"])
        }
        return SSHToken(
            href: json["href"]?.string,
            headers: (json["header"] ?? .null).texts.filter { !$0.key.contains("\n") && !$0.value.contains("\n") },
            expires: LFSAction.expiry(json, now: asked))
    }

    /// git-lfs's signs of a server without the command (`lfshttp/ssh.go`).
    private static func isUnavailable(_ result: ProcessResult) -> Bool {
        let words = result.errors.lowercased()
        return result.status == 127
            || [
                "git-lfs-authenticate: not found", "git-lfs-authenticate: command not found",
                "git-lfs-authenticate: no such file", "command not found: git-lfs-authenticate",
            ].contains { words.contains($0) }
    }
}
