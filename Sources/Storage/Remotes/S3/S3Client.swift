internal import Base
internal import Synchronization
internal import SystemPackage
internal import Transport

/// Speaks S3's protocol with one bucket: URLs, signatures, failures.
final class S3Client: Sendable {
    /// How a request says who it comes from.
    enum Authorization: Sendable {
        case anonymous
        case keys(AWSCredentials)
        /// A bearer token, fetched when it is needed.
        case token(GoogleToken)
    }

    /// Which service it is, where they differ.
    enum Dialect: Sendable {
        /// Amazon's own: hosts named by bucket and region.
        case amazon
        /// A store at a given place, the bucket in the path.
        case compatible(endpoint: NetworkAddress)
        /// Google's XML interface: MD5 instead of SHA-256.
        case google(endpoint: NetworkAddress)
    }

    struct Call {
        var method: String
        /// Nil: the bucket itself.
        var key: String?
        var query: [(String, String)] = []
        var headers: [String: String] = [:]
        var body = HTTPClient.Body.none
        /// The hex digest of the body.
        var payload = Digest.of("").hex
        var sink = HTTPRequest.Sink.memory(limit: 64 << 20)
        var progress: (@Sendable (Int64) -> Void)?
        var patience = Duration.seconds(60)

        init(_ method: String, _ key: String?) {
            self.method = method
            self.key = key
        }
    }

    let bucket: String
    let address: String
    let dialect: Dialect
    private let authorization: Authorization
    private let region: Mutex<String>

    init(bucket: String, address: String, dialect: Dialect, region: String, _ authorization: Authorization) {
        self.bucket = bucket
        self.address = address
        self.dialect = dialect
        self.region = Mutex(region)
        self.authorization = authorization
    }

    var isAnonymous: Bool { if case .anonymous = authorization { true } else { false } }
    var isGoogle: Bool { if case .google = dialect { true } else { false } }

    /// Sends a call; any status but 5xx and the like is left to the caller.
    ///
    /// A bucket that lies in another region than the settings say is found by what Amazon answers.
    func send(_ call: Call) async throws -> HTTPResponse {
        let used = region.withLock { $0 }
        let answer = try await sendOnce(call, region: used)
        guard case .amazon = dialect, [301, 307, 400, 403].contains(answer.status),
            let other = answer.headers["x-amz-bucket-region"], other != used,
            other.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 45 })
        else { return answer }
        region.withLock { $0 = other }
        return try await sendOnce(call, region: other)
    }

    private func sendOnce(_ call: Call, region: String) async throws -> HTTPResponse {
        let (base, authority, prefix) = place(region)
        let path = prefix + "/" + (call.key.map { NetworkAddress.encode($0, keep: "/") } ?? "")
        let query = call.query.map { (NetworkAddress.encode($0.0), NetworkAddress.encode($0.1)) }
        let text = query.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        var headers = call.headers
        switch authorization {
        case .anonymous: break
        case .keys(let credentials):
            headers = AWSSignature(credentials, region: region).sign(
                call.method, host: authority, path: path, query: query, headers: headers, payload: call.payload)
        case .token(let token):
            headers["Authorization"] = "Bearer \(try await token.current())"
        }
        var request = HTTPRequest(
            call.method, base + path + (text.isEmpty ? "" : "?" + text), headers: headers, body: call.body)
        request.timeout = nil
        request.patience = call.patience
        request.sink = call.sink
        request.progress = call.progress
        return try await RemoteFailure.send(request, address: address)
    }

    /// Scheme and host, the `Host` header, and what the path begins with.
    private func place(_ region: String) -> (base: String, authority: String, prefix: String) {
        switch dialect {
        case .amazon:
            let domain = "s3.\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : "")
            // A certificate for *.s3… covers no further dots.
            if bucket.contains(".") || bucket.contains(where: \.isUppercase) {
                return ("https://\(domain)", domain, "/\(NetworkAddress.encode(bucket))")
            }
            return ("https://\(bucket).\(domain)", "\(bucket).\(domain)", "")
        case .compatible(let endpoint), .google(let endpoint):
            var path = endpoint.path
            while path.hasSuffix("/") { path.removeLast() }
            return (
                "\(endpoint.scheme)://\(endpoint.authority)", endpoint.authority,
                "\(path)/\(NetworkAddress.encode(bucket))"
            )
        }
    }
}
