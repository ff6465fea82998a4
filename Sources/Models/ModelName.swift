/// A model's name: `churn`, or `team:churn` with a folder before it.
///
/// Each part is `[a-zA-Z0-9]([a-zA-Z0-9-/_]*[a-zA-Z0-9])?`, GTO's grammar. Tags write the colon as `=`.
public struct ModelName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let description: String

    /// Reads a name in either form; nil when it breaks the grammar.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "=" }
        guard (1...2).contains(parts.count), parts.allSatisfy({ Self.isPart($0) }) else { return nil }
        description = parts.joined(separator: ":")
    }

    /// The form in tags: `team=churn`.
    public var inTag: String { description.replacing(":", with: "=") }

    /// Whether a word is a valid part of a name; stages have the same grammar.
    static func isPart(_ text: some StringProtocol) -> Bool {
        func isAlphanumeric(_ unit: UInt8) -> Bool {
            (48...57).contains(unit) || (65...90).contains(unit) || (97...122).contains(unit)
        }
        guard let first = text.utf8.first, let last = text.utf8.reversed().first, isAlphanumeric(first),
            isAlphanumeric(last)
        else {
            return false
        }
        return text.utf8.allSatisfy { isAlphanumeric($0) || "-/_".utf8.contains($0) }
    }

    public static func < (a: ModelName, b: ModelName) -> Bool {
        a.description.utf8.lexicographicallyPrecedes(b.description.utf8)
    }
}
