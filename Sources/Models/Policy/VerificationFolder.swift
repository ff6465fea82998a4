internal import Base
internal import GitKit
internal import SystemPackage

/// A folder for one verification, for this user only; it goes with the value.
///
/// ssh-keygen and gpg read keys, signature and text from files. Both run with the caller's environment and none of its
/// settings: gpg has a home of its own in here, ssh-keygen reads none when it verifies.
final class VerificationFolder: Sendable {
    private let path: FilePath
    var signers: FilePath { path.appending("signers") }
    var revoked: FilePath { path.appending("revoked") }
    var signature: FilePath { path.appending("signature") }
    var payload: FilePath { path.appending("payload") }
    var keyring: FilePath { path.appending("gnupg") }

    init(_ keys: Signers, _ text: SignedText) throws {
        path = FilePath(environmentValue("TMPDIR") ?? "/tmp").appending("git-ml-verify-\(UUIDv7())")
        try Files.makeDirectory(path)
        try Self.close(path)
        try Files.replace(signers, with: keys.bytes)
        try Files.replace(revoked, with: keys.revoked)
        try Files.replace(signature, with: text.signature?.text ?? [])
        try Files.replace(payload, with: text.payload)
    }

    deinit { try? Files.removeTree(path) }

    /// Runs `ssh-keygen -Y …` on the signature.
    func sshKeygen(_ words: [String], input: [UInt8] = []) async throws -> ProcessResult {
        try await ChildProcess.run(
            "ssh-keygen", ["-Y"] + words + ["-s", signature.string], environment: ["LC_ALL": "C"], input: input)
    }

    /// Makes the keyring that ``gpg(_:input:)`` reads.
    func importKeys() async throws {
        try Files.makeDirectory(keyring)
        try Self.close(keyring)
        // A key that gpg cannot use makes it fail; those that it can are there all the same.
        _ = try await gpg(["--import", signers.string])
    }

    func gpg(_ words: [String]) async throws -> ProcessResult {
        try await ChildProcess.run(
            "gpg",
            ["--batch", "--no-tty", "--no-options", "--no-auto-key-retrieve", "--homedir", keyring.string] + words,
            environment: ["LC_ALL": "C", "GNUPGHOME": keyring.string])
    }

    private static func close(_ folder: FilePath) throws {
        guard folder.withPlatformString({ chmod($0, 0o700) }) == 0 else {
            throw FileFailure("make private", folder, Errno(rawValue: errno))
        }
    }
}
