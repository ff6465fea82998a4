internal import Base
public import GitKit
internal import SystemPackage

/// The keys that policy trusts: a file of the protected branch.
///
/// The file is one of two kinds, which its content tells apart:
/// - an allowed-signers file of OpenSSH (`ssh-keygen(1)`, ALLOWED SIGNERS): lines `ann@example.com ssh-ed25519 AAAA…`,
///   with `valid-before=`, `namespaces=` and certificate authorities as OpenSSH knows them. Keys that were stolen stand in a
///   second file, `<file>.revoked`: public keys, one a line, or a key revocation list of OpenSSH;
/// - an armoured keyring of OpenPGP (`gpg --armor --export ann@example.com …`). A key is revoked by its revocation
///   certificate in the keyring, or by taking it out.
///
/// A key must be valid now, not only at the time that the signed thing claims for itself: whoever has stolen an old key can
/// write any date. Settings of git (`gpg.program`, `gpg.ssh.allowedSignersFile`, …) count for nothing here.
public struct Signers: Sendable {
    /// The path in the repository, for messages.
    public let file: String
    let bytes: [UInt8]
    let revoked: [UInt8]

    public init(file: String, bytes: [UInt8], revoked: [UInt8] = []) {
        self.file = file
        self.bytes = bytes
        self.revoked = revoked
    }

    /// The signers of a commit of the protected branch; nil when the file is not there.
    public init?(_ file: String, at commit: ObjectID, in repository: Repository) throws {
        guard let bytes = try repository.file(file, in: commit) else { return nil }
        self.init(file: file, bytes: bytes, revoked: try repository.file(file + ".revoked", in: commit) ?? [])
    }

    /// Whether the keys are those of an OpenPGP keyring.
    public var isKeyring: Bool {
        String(decoding: bytes, as: UTF8.self).contains("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    }

    /// Whose signature a signed text carries; every other outcome is a ``SignatureFailure``.
    public func verify(_ text: SignedText) async throws -> Signer {
        try await verify(text, in: VerificationFolder(self, text))
    }

    /// The same for a tag object, which `git verify-tag` must find good too.
    ///
    /// git knows the keys at the time that the tag claims, where ``verify(_:)`` looks at now.
    public func verify(tag: ObjectID, in repository: Repository) async throws -> Signer {
        let text = try repository.signedTag(tag)
        let folder = try VerificationFolder(self, text)
        let signer = try await verify(text, in: folder)
        let result = try repository.verifyTag(
            tag,
            settings: [
                ("gpg.program", "gpg"), ("gpg.openpgp.program", "gpg"), ("gpg.x509.program", "false"),
                ("gpg.ssh.program", "ssh-keygen"), ("gpg.ssh.allowedSignersFile", folder.signers.string),
                ("gpg.ssh.revocationFile", folder.revoked.string), ("gpg.minTrustLevel", "undefined"),
            ], environment: ["GNUPGHOME": folder.keyring.string])
        guard result.status == 0 else {
            throw SignatureFailure.git(
                result.errors.split(separator: "\n").last.map(String.init) ?? "status \(result.status)")
        }
        return signer
    }

    private func verify(_ text: SignedText, in folder: VerificationFolder) async throws -> Signer {
        guard let signature = text.signature else { throw SignatureFailure.unsigned }
        switch signature.kind {
        case .ssh: return try await verifySSH(signature.text, text.payload, in: folder)
        case .openPGP: return try await verifyOpenPGP(in: folder)
        case .x509: throw SignatureFailure.unreadable(reason: "it is one of X.509, and SSH's and OpenPGP's are read")
        }
    }
}

// MARK: - SSH

extension Signers {
    private func verifySSH(_ armour: [UInt8], _ payload: [UInt8], in folder: VerificationFolder) async throws -> Signer
    {
        guard let signature = SSHSignature(armour) else {
            throw SignatureFailure.unreadable(reason: "it is no SSH signature")
        }
        let key = signature.fingerprint
        guard signature.namespace == "git" else { throw SignatureFailure.otherNamespace(signature.namespace) }
        if isKeyring { throw SignatureFailure.unknownKey("the SSH key \(key)", file: file) }
        let found = try await folder.sshKeygen(["find-principals", "-f", folder.signers.string])
        let names = found.status == 0 ? found.text.split(separator: "\n").map(String.init) : []
        if names.isEmpty {
            if found.errors.contains("expired") { throw SignatureFailure.expiredKey(key, file: file) }
            if found.errors.contains("not yet valid") { throw SignatureFailure.notYetValid(key, file: file) }
            throw SignatureFailure.unknownKey(key, file: file)
        }
        var good: [String] = []
        var words = ""
        for name in names {
            let answer = try await verify(as: name, payload, folder, ["-r", folder.revoked.string])
            if answer.status == 0 { good.append(name) } else { words += answer.errors }
        }
        if !good.isEmpty { return Signer(names: good, key: key) }
        if words.contains("not permitted for use in signature namespace") {
            throw SignatureFailure.notForGit(key, file: file)
        }
        for name in names where try await verify(as: name, payload, folder, []).status == 0 {
            throw SignatureFailure.revokedKey(key, file: file)
        }
        throw SignatureFailure.otherText(key)
    }

    private func verify(
        as name: String, _ payload: [UInt8], _ folder: VerificationFolder, _ more: [String]
    ) async throws -> ProcessResult {
        try await folder.sshKeygen(
            ["verify", "-f", folder.signers.string, "-I", name, "-n", "git"] + more, input: payload)
    }
}

// MARK: - OpenPGP

extension Signers {
    private func verifyOpenPGP(in folder: VerificationFolder) async throws -> Signer {
        guard isKeyring else { throw SignatureFailure.unknownKey("an OpenPGP key", file: file) }
        try await folder.importKeys()
        let result = try await folder.gpg([
            "--status-fd", "1", "--verify", folder.signature.string, folder.payload.string,
        ])
        let status = result.text.split(separator: "\n").filter { $0.hasPrefix("[GNUPG:] ") }
            .map { $0.split(separator: " ", maxSplits: 3).dropFirst().map(String.init) }
        let kinds = ["GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG"]
        let verdicts = status.filter { kinds.contains($0.first ?? "") }
        guard verdicts.count == 1, let verdict = verdicts.first, verdict.count > 1 else {
            throw SignatureFailure.unreadable(
                reason: verdicts.isEmpty ? "gpg finds none in it" : "it holds \(verdicts.count) signatures")
        }
        // VALIDSIG's last field is the fingerprint of the main key.
        let valid = status.first { $0.first == "VALIDSIG" }
        let key = valid?.last?.split(separator: " ").last.map(String.init) ?? verdict[1]
        switch verdict[0] {
        case "GOODSIG" where result.status == 0 && valid != nil:
            let owner = verdict.count > 2 ? verdict[2] : ""
            let address = owner.split(separator: "<").last.flatMap { $0.hasSuffix(">") ? String($0.dropLast()) : nil }
            return Signer(names: [address ?? owner], key: key)
        case "EXPSIG", "EXPKEYSIG": throw SignatureFailure.expiredKey(key, file: file)
        case "REVKEYSIG": throw SignatureFailure.revokedKey(key, file: file)
        case "ERRSIG": throw SignatureFailure.unknownKey(key, file: file)
        default: throw SignatureFailure.otherText(key)
        }
    }
}
