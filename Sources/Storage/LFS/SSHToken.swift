internal import Base
internal import Synchronization
internal import SystemPackage

/// What `git-lfs-authenticate` says at an ssh account: where the LFS server is, and headers that open it.
struct SSHToken: Sendable, Equatable {
    /// Nil: where one would guess.
    var href: String?
    var headers: [String: String] = [:]
    var expires: Timestamp?

    var isExpired: Bool { expires.map { Timestamp.now().advanced(bySeconds: 5) >= $0 } ?? false }

    private struct Key: Hashable {
        let account: SSHAccount
        let direction: TransferDirection
    }

    /// The answers of this process, and those that are still to come.
    private static let known = Mutex<[Key: Task<SSHToken, any Error>]>([:])

    /// The token of an account, asked for when there is none that holds; many that ask at once get one answer.
    static func find(
        _ account: SSHAccount, _ direction: TransferDirection, _ settings: LFSSettings
    ) async throws -> SSHToken {
        let key = Key(account: account, direction: direction)
        for _ in 0..<2 {
            let task = known.withLock { known in
                let task = known[key] ?? Task { try await ask(account, direction, settings) }
                known[key] = task
                return task
            }
            switch await task.result {
            case .success(let token) where !token.isExpired: return token
            case .success: forget(account, direction)
            case .failure(let error):
                forget(account, direction)
                throw error
            }
        }
        return try await ask(account, direction, settings)
    }

    static func forget(_ account: SSHAccount, _ direction: TransferDirection) {
        known.withLock { $0[Key(account: account, direction: direction)] = nil }
    }

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
