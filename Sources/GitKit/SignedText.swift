public import Base

/// A signed object's bytes, divided as git divides them.
///
/// The signature begins at the last line that starts one (git's `gpg-interface.c`, `parse_signed_buffer`); only what stands
/// before it is signed. What follows the signature's end counts as a part of it, and proves nothing.
public struct SignedText: Sendable {
    public enum Kind: Sendable { case ssh, openPGP, x509 }

    /// What is signed: everything before the signature, or all when there is none.
    public let payload: [UInt8]
    /// The signature's text; nil when there is none.
    public let signature: (kind: Kind, text: [UInt8])?

    private static let marks: [(mark: String, kind: Kind)] = [
        ("-----BEGIN SSH SIGNATURE-----", .ssh), ("-----BEGIN PGP SIGNATURE-----", .openPGP),
        ("-----BEGIN PGP MESSAGE-----", .openPGP), ("-----BEGIN SIGNED MESSAGE-----", .x509),
    ]

    public init(_ bytes: [UInt8]) {
        var at = 0
        var found: (start: Int, kind: Kind)?
        while at < bytes.count {
            if let mark = Self.marks.first(where: { bytes[at...].starts(with: $0.mark.utf8) }) {
                found = (at, mark.kind)
            }
            at = (bytes[at...].firstIndex(of: 0x0a) ?? bytes.count) + 1
        }
        payload = Array(bytes[..<(found?.start ?? bytes.count)])
        signature = found.map { ($0.kind, Array(bytes[$0.start...])) }
    }

    /// Puts text and signature together.
    public init(payload: [UInt8], signature: String) {
        self.init(payload + Array(signature.utf8))
    }
}

extension Repository {
    /// The bytes of a tag object, divided into what is signed and the signature.
    public func signedTag(_ id: ObjectID) throws -> SignedText { SignedText(try bytes(of: id, as: .tag)) }

    /// What a ref below `refs/tags/` is, or would be, when it points at an object; nil when the object is not here.
    public func tagRef(_ name: String, at id: ObjectID) throws -> TagRef? {
        guard let kind = try header(id)?.kind else { return nil }
        guard kind == .tag else { return TagRef(name: name, id: id, object: nil, target: id, targetKind: kind) }
        let object = try tag(id)
        var innermost = object
        for _ in 0..<10 where innermost.targetKind == .tag { innermost = try tag(innermost.target) }
        return TagRef(
            name: name, id: id, object: object, target: innermost.target, targetKind: innermost.targetKind)
    }

    /// Runs `git verify-tag --raw` on a tag object, with these settings and none that the user, the machine or the
    /// repository has for signatures.
    ///
    /// `git` sees what this process sees, objects in quarantine included. Its status is the answer; its words are not.
    public func verifyTag(_ id: ObjectID, settings: [(key: String, value: String)], environment: [String: String] = [:])
        throws -> ProcessResult
    {
        let program = try program()
        var options = ["--no-pager", "-c", "safe.directory=*"]
        for (key, value) in settings { options += ["-c", "\(key)=\(value)"] }
        return try BlockingProcess.run(
            program.git, options + ["verify-tag", "--raw", "--end-of-options", id.hex],
            environment: program.environment
                .merging(["GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"]) { $1 }
                .merging(environment) { $1 },
            in: workTree ?? gitDirectory)
    }
}
