internal import Base
public import Transport

extension RemoteFailure {
    /// What an answer that is a refusal means.
    ///
    /// `words` is the server's own explanation, when it could be read.
    public init(_ answer: HTTPResponse, address: String, words: String? = nil, hints: [String] = []) {
        let reason = Self.reason(answer.status)
        let said = words.map { ": " + Self.oneLine($0) } ?? ""
        self.init(
            reason, address: address, detail: "\(Self.sentence(reason, answer.status))\(said)", status: answer.status,
            // 501 will not be otherwise in a while; 408 and 425 ask to come again.
            retryable: [408, 425, 429].contains(answer.status) || (reason == .outOfOrder && answer.status != 501)
                || answer.status == 409,
            retryAfter: RetryAfter.parse(answer.headers["retry-after"]), hints: hints)
    }

    /// A request that got no answer.
    public init(_ failure: TransportFailure, address: String) {
        let reason: Reason =
            switch failure.what {
            case .noConnection: .unreachable
            case .broken: .interrupted
            case .untrusted: .refused
            case .unacceptable: .unexpectedAnswer
            case .otherLength: .otherLength
            case .local: .refused
            }
        self.init(reason, address: address, detail: Self.oneLine(failure.reason), hints: failure.hints)
    }

    private static func reason(_ status: Int) -> Reason {
        switch status {
        case 401, 407: .unauthorized
        case 403: .forbidden
        case 404, 410: .noSuchPlace
        case 409, 412: .conflict
        case 413: .tooLarge
        case 429: .busy
        case 500...: .outOfOrder
        case 200..<400: .unexpectedAnswer
        default: .refused
        }
    }

    private static func sentence(_ reason: Reason, _ status: Int) -> String {
        switch reason {
        case .unauthorized: "the server does not accept who we are (\(status))"
        case .forbidden: "the server does not allow it (\(status))"
        case .noSuchPlace: "there is nothing at this address (\(status))"
        case .conflict: "something else changed it at the same time (\(status))"
        case .tooLarge: "the server takes nothing that large (\(status))"
        case .busy: "the server asks to come back later (\(status))"
        case .outOfOrder: "the server is out of order (\(status))"
        case .unexpectedAnswer, .otherLength, .refused, .unreachable, .interrupted: "the server answered \(status)"
        }
    }

    /// Printable, on one line, and not long.
    static func oneLine(_ text: String) -> String {
        let line = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
        let words = line.split(separator: " ").joined(separator: " ")
        return words.count > 300 ? words.prefix(300) + "…" : words
    }

    /// Sends a request; one that gets no answer becomes a failure of the remote.
    public static func send(_ request: HTTPRequest, address: String) async throws -> HTTPResponse {
        do {
            return try await HTTPClient.send(request)
        } catch let failure as TransportFailure where failure.what != .local {
            throw RemoteFailure(failure, address: address)
        }
    }
}
