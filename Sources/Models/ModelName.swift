/// A model's name: `churn`, or `team:churn` with a folder before it.
///
/// The name is `[a-zA-Z0-9]([a-zA-Z0-9-/_]*[a-zA-Z0-9])?`, GTO's grammar, and stages have the same. The folder may hold dots
/// too, but is a path that stays where it is: no empty part, no `.` or `..`, no dash at its beginning. Tags write the colon
/// as `=`.
public struct ModelName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let description: String

    /// Reads a name in either form; nil when it breaks the grammar.
    public init?(_ text: some StringProtocol) { self.init(bytes: Array(text.utf8)[...]) }

    init?(bytes: ArraySlice<UInt8>) {
        guard let mark = bytes.firstIndex(where: { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "=") }) else {
            guard Self.isPart(bytes) else { return nil }
            description = String(decoding: bytes, as: UTF8.self)
            return
        }
        let (folder, name) = (bytes[..<mark], bytes[(mark + 1)...])
        guard Self.isFolder(folder), Self.isPart(name) else { return nil }
        description = String(decoding: folder, as: UTF8.self) + ":" + String(decoding: name, as: UTF8.self)
    }

    /// The form in tags: `team=churn`.
    public var inTag: String { description.replacing(":", with: "=") }

    /// Whether a word is a valid part of a name; stages have the same grammar.
    public static func isPart(_ text: some StringProtocol) -> Bool { isPart(Array(text.utf8)[...]) }

    public static func isPart(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, let last = bytes.last, isAlphanumeric(first), isAlphanumeric(last) else {
            return false
        }
        return bytes.allSatisfy { isAlphanumeric($0) || $0 == 0x2d || $0 == 0x2f || $0 == 0x5f }
    }

    private static func isFolder(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.first != 0x2d, bytes.allSatisfy({ isAlphanumeric($0) || (0x2d...0x2f).contains($0) || $0 == 0x5f })
        else { return false }
        return bytes.split(separator: 0x2f, omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && !$0.elementsEqual([0x2e]) && !$0.elementsEqual([0x2e, 0x2e])
        }
    }

    private static func isAlphanumeric(_ unit: UInt8) -> Bool {
        (48...57).contains(unit) || (65...90).contains(unit) || (97...122).contains(unit)
    }

    public static func < (a: ModelName, b: ModelName) -> Bool {
        a.description.utf8.lexicographicallyPrecedes(b.description.utf8)
    }
}
