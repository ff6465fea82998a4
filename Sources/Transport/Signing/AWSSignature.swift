public import Base
internal import Crypto

/// Keys for S3 and what speaks like it.
public struct AWSCredentials: Sendable, Equatable {
    public let accessKey: String
    public let secretKey: String
    public let sessionToken: String?

    public init(accessKey: String, secretKey: String, sessionToken: String? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
    }
}

/// Signature Version 4 for S3: a request is signed with what it says, the time and the digest of its body.
///
/// libcurl has a signer too, but signs what stands in the URL without bringing it into the canonical form, and not what a
/// read callback sends.
public struct AWSSignature: Sendable {
    /// The digest to give when the body is not hashed.
    public static let unsigned = "UNSIGNED-PAYLOAD"

    public let credentials: AWSCredentials
    public let region: String
    public let service: String

    public init(_ credentials: AWSCredentials, region: String, service: String = "s3") {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// The headers that a request goes out with: those given, and the ones that sign it.
    ///
    /// `path` and `query` are percent-encoded, as they stand in the URL; `payload` is the hex digest of the body, or
    /// ``unsigned``.
    public func sign(
        _ method: String, host: String, path: String, query: [(String, String)], headers: [String: String],
        payload: String, at time: Timestamp = .now()
    ) -> [String: String] {
        let stamp = time.wholeSeconds.filter { $0 != "-" && $0 != ":" }
        var sent = headers
        sent["x-amz-date"] = stamp
        sent["x-amz-content-sha256"] = payload
        if let token = credentials.sessionToken { sent["x-amz-security-token"] = token }
        var signed = sent.filter {
            let name = $0.key.lowercased()
            return name.hasPrefix("x-amz-") || name == "content-type" || name == "content-md5"
        }
        signed["host"] = host
        let lines = signed.map { (name: $0.key.lowercased(), value: Self.trimmed($0.value)) }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        let names = lines.map(\.name).joined(separator: ";")
        let pairs = query.sorted { $0.0 == $1.0 ? Self.precedes($0.1, $1.1) : Self.precedes($0.0, $1.0) }
        let canonical = [
            method, path, pairs.map { "\($0.0)=\($0.1)" }.joined(separator: "&"),
            lines.map { "\($0.name):\($0.value)\n" }.joined(), names, payload,
        ].joined(separator: "\n")
        let scope = "\(stamp.prefix(8))/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(Digest.of(canonical).hex)"
        let signature = Hex.encode(HMAC256.code(text, key: key(day: String(stamp.prefix(8)))))
        sent["Authorization"] =
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
        return sent
    }

    private func key(day: String) -> [UInt8] {
        [day, region, service, "aws4_request"].reduce(Array("AWS4\(credentials.secretKey)".utf8)) {
            HMAC256.code($1, key: $0)
        }
    }

    private static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
}

/// HMAC with SHA-256.
enum HMAC256 {
    static func code(_ text: String, key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key)))
    }
}

/// MD5, where a service names content by it.
public enum MD5 {
    /// The 16 bytes for a part of a file, or nil when it cannot be read.
    public static func of(_ pieces: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) rethrows -> [UInt8] {
        var hash = Insecure.MD5()
        try pieces { hash.update(bufferPointer: $0) }
        return Array(hash.finalize())
    }
}
