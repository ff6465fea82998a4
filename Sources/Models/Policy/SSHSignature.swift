internal import Base

/// What an armoured SSH signature says of itself (OpenSSH's `PROTOCOL.sshsig`); nothing of it is verified here.
struct SSHSignature: Equatable {
    /// The public key's wire form, as `authorized_keys` has it in base64.
    let key: [UInt8]
    /// What it was made for: `git` for objects of git.
    let namespace: String

    /// Nil when the text is no such signature.
    init?(_ armour: [UInt8]) {
        let lines = String(decoding: armour, as: UTF8.self).split(separator: "\n")
        guard lines.first == "-----BEGIN SSH SIGNATURE-----",
            let end = lines.firstIndex(of: "-----END SSH SIGNATURE-----"),
            let bytes = Base64.decode(lines[1..<end].joined()), bytes.starts(with: "SSHSIG".utf8)
        else { return nil }
        var rest = bytes.dropFirst(6 + 4)  // the magic and the version
        guard let key = Self.field(&rest), let name = Self.field(&rest) else { return nil }
        self.key = key
        namespace = String(decoding: name, as: UTF8.self)
    }

    /// `SHA256:…`, as ssh-keygen prints it.
    var fingerprint: String { "SHA256:" + Base64.encode(Digest.of(key).bytes).prefix { $0 != "=" } }

    private static func field(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard rest.count >= 4 else { return nil }
        let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard rest.count >= 4 + length else { return nil }
        defer { rest = rest.dropFirst(4 + length) }
        return Array(rest.dropFirst(4).prefix(length))
    }
}
