public import Base

/// Why a remote could not do it.
public struct RemoteFailure: Failure, Equatable {
    /// What kind of thing went wrong.
    public enum Reason: String, Sendable {
        /// No connection.
        case unreachable
        /// A connection that broke, or stood still.
        case interrupted
        /// Nobody said who we are, or not rightly: 401.
        case unauthorized
        /// We may not: 403.
        case forbidden
        /// The place itself is not there: 404, a bucket without that name.
        case noSuchPlace
        /// Somebody else changes the same: 409, 412.
        case conflict
        /// It takes no content of that size: 413.
        case tooLarge
        /// It wants to be left alone for a while: 429, `SlowDown`.
        case busy
        /// It is out of order: 5xx.
        case outOfOrder
        /// It answered something that cannot be meant: a web page, an unreadable listing.
        case unexpectedAnswer
        /// What it has is longer or shorter than what was asked for.
        case otherLength
        /// Any other status.
        case refused
    }

    public let reason: Reason
    /// The remote or the URL, without secrets.
    public let address: String
    /// One clause: what happened, in the server's own words where it had some.
    public let detail: String
    /// The HTTP status, when there was one.
    public let status: Int?
    /// Whether trying the same again may help.
    public let retryable: Bool
    /// How long the server asks to wait before that.
    public let retryAfter: Duration?
    public let hints: [String]

    public init(
        _ reason: Reason, address: String, detail: String, status: Int? = nil, retryable: Bool? = nil,
        retryAfter: Duration? = nil, hints: [String] = []
    ) {
        self.reason = reason
        self.address = address
        self.detail = detail
        self.status = status
        self.retryable = retryable ?? [.unreachable, .interrupted, .busy, .outOfOrder, .conflict].contains(reason)
        self.retryAfter = retryAfter
        self.hints = hints
    }

    public var kind: FailureKind { .remote }
    public var description: String { "\(address): \(detail)" }
}
