public import Base
internal import CurlShim

/// An answer over HTTP.
public struct HTTPResponse: Sendable {
    public let status: Int
    /// By lower-case name; of a header that stands twice the last counts.
    public let headers: [String: String]
    public let body: [UInt8]
}

/// A request that got no answer.
public struct TransportFailure: Failure, Equatable {
    public let method: String
    /// Without user and password.
    public let url: String
    public let reason: String

    public var kind: FailureKind { .remote }
    public var description: String { "\(method) \(url): \(reason)" }
    public var hints: [String] {
        reason.contains("libcurl cannot be opened") ? ["install libcurl (Debian: libcurl4)"] : []
    }
}

/// HTTP over libcurl.
public enum HTTPClient {
    /// Sends one request and waits for the whole answer; any status is an answer. Redirects are not followed.
    ///
    /// - Parameters:
    ///   - headers: By name.
    ///   - body: Nil sends none.
    ///   - timeout: For all of it.
    ///   - limit: The most bytes of a body that are taken.
    /// - Returns: The answer.
    /// - Throws: ``TransportFailure`` when there is none.
    public static func send(
        _ method: String, _ url: String, headers: [String: String] = [:], body: [UInt8]? = nil,
        timeout: Duration = .seconds(30), limit: Int = 64 << 20
    ) async throws -> HTTPResponse {
        // curl waits in its calls: a thread of its own keeps the cooperative pool free.
        let result = await withCheckedContinuation { continuation in
            Threads.start {
                continuation.resume(returning: perform(method, url, headers, body, timeout, limit))
            }
        }
        return try result.get()
    }

    private final class Collector {
        var headers: [String: String] = [:]
        var body: [UInt8] = []
        let limit: Int
        init(limit: Int) { self.limit = limit }
    }

    private static func perform(
        _ method: String, _ url: String, _ headers: [String: String], _ body: [UInt8]?, _ timeout: Duration,
        _ limit: Int
    ) -> Result<HTTPResponse, TransportFailure> {
        let collector = Collector(limit: limit)
        let lines = headers.sorted { $0.key < $1.key }.map { strdup("\($0.key): \($0.value)") }
        defer { for line in lines { free(line) } }
        var pointers: [UnsafePointer<CChar>?] = lines.map { UnsafePointer($0) } + [nil]
        var error = [CChar](repeating: 0, count: 256)
        var status = 0
        let code = pointers.withUnsafeMutableBufferPointer { pointers in
            method.withCString { method in
                url.withCString { url in
                    (body ?? []).withUnsafeBytes { bytes in
                        var request = curlshim_request()
                        request.method = method
                        request.url = url
                        request.headers = UnsafePointer(pointers.baseAddress)
                        // An empty body is a body: curl must be told where it begins.
                        request.body = body == nil ? nil : bytes.baseAddress ?? UnsafeRawPointer(url)
                        request.body_size = bytes.count
                        request.timeout_ms = Int(timeout.inSeconds * 1000)
                        request.on_header = { bytes, count, context in
                            guard let bytes, let context else { return 0 }
                            let collector = Unmanaged<Collector>.fromOpaque(context).takeUnretainedValue()
                            let line = String(
                                decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
                            if let colon = line.firstIndex(of: ":") {
                                let value = line[line.index(after: colon)...].drop { $0 == " " }
                                collector.headers[line[..<colon].lowercased()] = String(value).trimmingTrailingSpace
                            }
                            return count
                        }
                        request.on_body = { bytes, count, context in
                            guard let bytes, let context else { return 0 }
                            let collector = Unmanaged<Collector>.fromOpaque(context).takeUnretainedValue()
                            guard collector.body.count + count <= collector.limit else { return 0 }
                            collector.body += UnsafeRawBufferPointer(start: bytes, count: count)
                            return count
                        }
                        request.context = Unmanaged.passUnretained(collector).toOpaque()
                        return withExtendedLifetime(collector) { curlshim_perform(&request, &status, &error) }
                    }
                }
            }
        }
        guard code == 0 else {
            let reason = String(decoding: error.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return .failure(TransportFailure(method: method, url: withoutSecrets(url), reason: reason))
        }
        return .success(HTTPResponse(status: status, headers: collector.headers, body: collector.body))
    }

    /// A URL without what stands before an `@` in its host, and without its query.
    static func withoutSecrets(_ url: String) -> String {
        var text = url.prefix { $0 != "?" }
        if let scheme = text.firstRange(of: "://"),
            let at = text[scheme.upperBound...].prefix(while: { $0 != "/" }).lastIndex(of: "@")
        {
            text = text[..<scheme.upperBound] + text[text.index(after: at)...]
        }
        return String(text)
    }
}
