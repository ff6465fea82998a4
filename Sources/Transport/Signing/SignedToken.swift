public import Base
internal import CryptoExtras

/// A JSON web token signed with RSA and SHA-256 (RS256), as Google's service accounts ask for theirs.
public enum SignedToken {
    /// The token for some claims; `key` is a private key in PEM.
    public static func make(_ claims: JSON, key: String, keyID: String?) throws -> String {
        var header: [String: String] = ["alg": "RS256", "typ": "JWT"]
        if let keyID { header["kid"] = keyID }
        let text = [JSON.sorted(header), claims].map { urlSafe($0.encoded()) }.joined(separator: ".")
        let key = try _RSA.Signing.PrivateKey(pemRepresentation: key)
        let signature = try key.signature(for: Array(text.utf8), padding: .insecurePKCS1v1_5)
        return "\(text).\(urlSafe(Array(signature.rawRepresentation)))"
    }

    private static func urlSafe(_ bytes: [UInt8]) -> String {
        Base64.encode(bytes).replacing("+", with: "-").replacing("/", with: "_").filter { $0 != "=" }
    }
}
