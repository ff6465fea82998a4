public import Base
public import GitKit
internal import SystemPackage

/// Signs a text with the key and program that git signs tags with: `gpg.format`, `user.signingKey`, `gpg.ssh.program`,
/// `gpg.program`.
public struct GitSigning: Sendable {
    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// A detached signature, armoured; of SSH in the namespace `git`.
    public func sign(_ text: [UInt8]) async throws -> String {
        switch try format() {
        case "ssh": return try await sign(text, .ssh, key: nil)
        case "openpgp": return try await sign(text, .gpg, key: nil)
        case let other: throw SigningFailure(reason: "gpg.format is “\(other)”, and only ssh and openpgp are known")
        }
    }

    /// The same with a program that is named; without a key with the one that git signs with.
    public func sign(_ text: [UInt8], _ program: SigningSettings.Program, key: String?) async throws -> String {
        switch program {
        case .ssh: return try await signSSH(text, key: key ?? ownKey("ssh"))
        case .gpg: return try await signOpenPGP(text, key: key ?? ownKey("openpgp"))
        case .cosign: throw SigningFailure(reason: "cosign signs images only")
        }
    }

    private func format() throws -> String { try repository.setting("gpg.format") ?? "openpgp" }

    /// git's key, when it is one of that format.
    private func ownKey(_ format: String) throws -> String? {
        try self.format() == format ? repository.setting("user.signingKey") : nil
    }

    private func signSSH(_ text: [UInt8], key: String?) async throws -> String {
        guard let key, !key.isEmpty else {
            throw SigningFailure(reason: "git's settings gpg.format and user.signingKey name no SSH key")
        }
        let program = try repository.setting("gpg.ssh.program") ?? "ssh-keygen"
        let literal = key.hasPrefix("key::") ? key.dropFirst(5) : key.hasPrefix("ssh-") ? key[...] : nil
        guard let literal else {
            var path = key
            if key.hasPrefix("~/"), let home = environmentValue("HOME") { path = home + key.dropFirst() }
            return try await sign(program, key: path, text)
        }
        // The key itself is with the agent; ssh-keygen wants the public one in a file.
        let file = FilePath(environmentValue("TMPDIR") ?? "/tmp").appending("git-ml-key-\(UUIDv7()).pub")
        defer { Files.remove(file) }
        try Files.replace(file, with: (literal + "\n").utf8)
        return try await sign(program, key: file.string, text)
    }

    private func sign(_ program: String, key: String, _ text: [UInt8]) async throws -> String {
        let result = try await ChildProcess.run(
            program, ["-Y", "sign", "-n", "git", "-f", key], in: repository.workTree ?? repository.gitDirectory,
            input: text)
        guard result.status == 0, result.text.hasPrefix("-----BEGIN SSH SIGNATURE-----") else {
            throw SigningFailure(reason: result.errors.trimmingTrailingSpace)
        }
        return result.text
    }

    private func signOpenPGP(_ text: [UInt8], key: String?) async throws -> String {
        let program = try repository.setting("gpg.openpgp.program") ?? repository.setting("gpg.program") ?? "gpg"
        let user = try repository.user()
        let key = key ?? "\(user.name) <\(user.email)>"
        let result = try await ChildProcess.run(program, ["--status-fd=2", "-bsau", key], input: text)
        guard result.status == 0, result.errors.contains("[GNUPG:] SIG_CREATED ") else {
            let words = result.errors.split(separator: "\n").filter { !$0.hasPrefix("[GNUPG:]") }
            throw SigningFailure(reason: words.joined(separator: "; "))
        }
        return result.text
    }
}

/// A signature that could not be made.
public struct SigningFailure: Failure {
    public let reason: String
    public var kind: FailureKind { .user }
    public var description: String { "it could not be signed: \(reason)" }
    public var hints: [String] {
        ["set git's signing up: `git config gpg.format ssh` and `git config user.signingKey ~/.ssh/id_ed25519.pub`"]
    }
}
