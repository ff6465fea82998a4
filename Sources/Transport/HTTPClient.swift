public import Base
internal import CurlShim
public import SystemPackage

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
    /// What a request carries.
    public enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// A file, streamed.
        case file(FilePath)
    }

    /// Sends one request and waits for the whole answer.
    ///
    /// Any status is an answer, and redirects are not followed. Without a `timeout`, only a transfer that stands still
    /// for a minute is given up. A body of more than `limit` bytes is an error.
    public static func send(
        _ method: String, _ url: String, headers: [String: String] = [:], body: Body = .none,
        timeout: Duration? = .seconds(30), limit: Int = 64 << 20
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
        _ method: String, _ url: String, _ headers: [String: String], _ body: Body, _ timeout: Duration?,
        _ limit: Int
    ) -> Result<HTTPResponse, TransportFailure> {
        let collector = Collector(limit: limit)
        let lines = headers.sorted { $0.key < $1.key }.map { strdup("\($0.key): \($0.value)") }
        defer { for line in lines { free(line) } }
        var pointers: [UnsafePointer<CChar>?] = lines.map { UnsafePointer($0) } + [nil]
        var error = [CChar](repeating: 0, count: 256)
        var status = 0
        var bytes: [UInt8]?
        var file: UnsafeMutablePointer<CChar>?
        switch body {
        case .none: break
        case .bytes(let value): bytes = value
        case .file(let path): file = strdup(path.string)
        }
        defer { free(file) }
        let hasBytes = bytes != nil
        let code = pointers.withUnsafeMutableBufferPointer { pointers in
            method.withCString { method in
                url.withCString { url in
                    (bytes ?? []).withUnsafeBytes { bytes in
                        var request = curlshim_request()
                        request.method = method
                        request.url = url
                        request.headers = UnsafePointer(pointers.baseAddress)
                        // An empty body is a body: curl must be told where it begins.
                        request.body = !hasBytes ? nil : bytes.baseAddress ?? UnsafeRawPointer(url)
                        request.body_size = bytes.count
                        request.upload_path = UnsafePointer(file)
                        request.timeout_ms = Int((timeout?.inSeconds ?? 0) * 1000)
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
