public import Base

/// An error as MLflow's REST API tells it.
public struct MLflowFailure: Failure, Equatable {
    /// MLflow's error codes that are used here, with the HTTP status of each.
    public enum Code: String, Sendable {
        case invalid = "INVALID_PARAMETER_VALUE"
        case exists = "RESOURCE_ALREADY_EXISTS"
        case badRequest = "BAD_REQUEST"
        case unauthenticated = "UNAUTHENTICATED"
        case denied = "PERMISSION_DENIED"
        case missing = "RESOURCE_DOES_NOT_EXIST"
        case noEndpoint = "ENDPOINT_NOT_FOUND"
        case state = "INVALID_STATE"
        case `internal` = "INTERNAL_ERROR"
        case notImplemented = "NOT_IMPLEMENTED"

        var status: Int {
            switch self {
            case .invalid, .exists, .badRequest: 400
            case .unauthenticated: 401
            case .denied: 403
            case .missing, .noEndpoint: 404
            case .state, .internal: 500
            case .notImplemented: 501
            }
        }
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    static func invalid(_ message: String) -> MLflowFailure { MLflowFailure(.invalid, message) }
    static func missing(_ message: String) -> MLflowFailure { MLflowFailure(.missing, message) }

    /// The failure of a parameter, in MLflow's words.
    static func value(_ value: JSON, of name: String, _ reason: String? = nil) -> MLflowFailure {
        .invalid("Invalid value \(value) for parameter '\(name)' supplied" + (reason.map { ": \($0)" } ?? "."))
    }

    /// How any error is told to a client: what the client can mend is never a status that it would try again.
    init(of error: any Error) {
        switch error {
        case let failure as MLflowFailure: self = failure
        case let failure as any Failure:
            let words = ([failure.description] + failure.hints).joined(separator: "; ")
            switch failure.kind {
            case .notFound: self.init(.missing, words)
            case .user: self.init(.badRequest, words)
            default: self.init(.internal, words)
            }
        default: self.init(.internal, "\(error)")
        }
    }

    public var kind: FailureKind { code == .missing ? .notFound : code.status < 500 ? .user : .internal }
    public var description: String { message }

    var json: JSON {
        [
            "error_code": .string(code.rawValue), "message": .string(message), "sqlstate": "KAM00",
            "error_class": code == .missing ? "RESOURCE_NOT_FOUND" : .string(code.rawValue),
        ]
    }
}
