/// What kind of thing went wrong; it decides the exit status.
public enum FailureKind: String, Sendable {
    /// The user can mend it: exit status 1.
    case user
    /// Something named is not there: exit status 3.
    case notFound
    /// A remote did not do its part: exit status 4.
    case remote
    /// Content does not match its digest or its format: exit status 5.
    case corrupt
    /// A defect of git-ml: exit status 70.
    case `internal`

    /// The process exit status that scripts may rely on.
    public var exitStatus: Int32 {
        switch self {
        case .user: 1
        case .notFound: 3
        case .remote: 4
        case .corrupt: 5
        case .internal: 70
        }
    }
}

/// An error that can be shown to a person as it is.
///
/// `description` is one sentence without a full stop that names the file, ref or URL; `hints` say what to type next.
public protocol Failure: Error, CustomStringConvertible, Sendable {
    var kind: FailureKind { get }
    var hints: [String] { get }
    var cause: (any Error)? { get }
}

extension Failure {
    public var hints: [String] { [] }
    public var cause: (any Error)? { nil }
}

/// Puts a sentence of context around another error and keeps its kind and hints.
public struct Context: Failure {
    public let description: String
    public let cause: (any Error)?

    public init(_ description: String, cause: any Error) {
        self.description = description
        self.cause = cause
    }

    public var kind: FailureKind { (cause as? any Failure)?.kind ?? .internal }
    public var hints: [String] { (cause as? any Failure)?.hints ?? [] }
}

/// Runs `body`; an error it throws comes out below the sentence `description`.
public func context<T>(_ description: @autoclosure () -> String, _ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch {
        throw Context(description(), cause: error)
    }
}
