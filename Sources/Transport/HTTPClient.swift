internal import Base
public import SystemPackage

/// HTTP over libcurl.
///
/// All requests of the process share one set of open connections. Proxies are those that the environment names.
public enum HTTPClient {
    /// What a request carries.
    public enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// A file, streamed.
        case file(FilePath)
        /// A part of a file, streamed.
        case range(FilePath, from: Int64, count: Int64)
        /// A part of bytes that are made while they are sent.
        case stream(any BodyStream, from: Int64, count: Int64)
    }

    /// Sends one request and waits for the whole answer.
    ///
    /// Any status is an answer, and redirects are not followed. Without a `timeout`, only a transfer that stands still
    /// for a minute is given up. A body of more than `limit` bytes is an error.
    public static func send(
        _ method: String, _ url: String, headers: [String: String] = [:], body: Body = .none,
        timeout: Duration? = .seconds(30), limit: Int = 64 << 20
    ) async throws -> HTTPResponse {
        var request = HTTPRequest(method, url, headers: headers, body: body)
        request.timeout = timeout
        request.sink = .memory(limit: limit)
        return try await send(request)
    }

    /// Sends one request and waits for its answer; any status is one.
    ///
    /// - Throws: ``TransportFailure`` when there is no answer, or one that cannot be taken; `CancellationError` when the
    ///   task is cancelled, at once, and what a file has received until then stays.
    public static func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        var request = request
        var policy = request.namedBy.map { PeerPolicy(redirectedBy: $0) }
        var firstPeer: String?
        for _ in 0..<6 {
            let exchange = HTTPExchange(request, peerPolicy: policy)
            let answer = try await HTTPLoop.shared.perform(exchange)
            guard case .followed = request.redirects, ["GET", "HEAD"].contains(request.method),
                [301, 302, 303, 307, 308].contains(answer.status), let location = answer.headers["location"]
            else { return answer }
            firstPeer = firstPeer ?? exchange.peer
            let next = try redirect(request, to: location)
            policy = next.leaves ? firstPeer.map { PeerPolicy(redirectedBy: $0) } : policy
            request = next.request
        }
        throw TransportFailure(request.method, request.url, "it is redirected again and again", .unacceptable)
    }

    /// The request that a redirect asks for, and whether it goes to another origin.
    static func redirect(
        _ request: HTTPRequest, to location: String
    ) throws(TransportFailure) -> (request: HTTPRequest, leaves: Bool) {
        func refusal(_ reason: String) -> TransportFailure {
            TransportFailure(request.method, request.url, reason, .unacceptable)
        }
        guard let old = NetworkAddress(request.url), let new = old.resolving(location) else {
            throw refusal("the redirect names no address")
        }
        let shown = NetworkAddress.withoutSecrets(new.url)
        guard ["http", "https"].contains(new.scheme) else { throw refusal("the redirect to \(shown) is not followed") }
        guard !(old.scheme == "https" && new.scheme == "http") else {
            throw refusal("the redirect from https to \(shown) is not followed")
        }
        var next = request
        next.url = new.url
        let leaves = !old.hasSameOrigin(as: new)
        if leaves {
            next.headers = request.headers.filter { ["accept", "range"].contains($0.key.lowercased()) }
        }
        return (next, leaves)
    }
}
