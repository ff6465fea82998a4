internal import Base
internal import Transport

/// A request for a stretch of a content over HTTP.
struct RangeRequest {
    let range: Range<Int64>

    init(_ range: Range<Int64>) { self.range = range }

    /// The value of the header that asks for it.
    var header: String { "bytes=\(range.lowerBound)-\(range.upperBound - 1)" }

    /// More is no answer to it.
    var sink: HTTPRequest.Sink { .memory(limit: range.count) }

    /// Sends it; nil when the server gives something else than this part.
    func send(_ body: () async throws -> HTTPResponse) async throws -> [UInt8]? {
        do {
            let answer = try await body()
            // rclone's server gives the part as 200.
            guard answer.isSuccess, answer.body.count == range.count,
                answer.headers["content-range"]?.hasPrefix("bytes \(range.lowerBound)-") == true
            else { return nil }
            return answer.body
        } catch let failure as RemoteFailure where failure.reason == .unexpectedAnswer {
            // All of it came instead.
            return nil
        }
    }
}
