public import Base

/// A filter that cannot be read.
public struct FilterFailure: Failure, Equatable {
    public let text: String
    /// Where, in characters; the first is 1.
    public let column: Int
    public let reason: String

    public var kind: FailureKind { .user }
    public var description: String { "column \(column): \(reason)" }

    /// The filter, and below it a caret under the place.
    public var hints: [String] {
        let start = max(0, column - 40)
        let line = text.dropFirst(start).prefix(70).map {
            $0.unicodeScalars.contains { $0.value < 32 || $0.value == 127 } ? " " : $0
        }
        return [String(line), String(repeating: " ", count: column - 1 - start) + "^"]
    }
}
