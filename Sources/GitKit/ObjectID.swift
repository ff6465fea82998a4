internal import Base

/// The name of a git object: 40 hex digits, or 64 in a SHA-256 repository.
public struct ObjectID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Lower-case hex digits.
    public let hex: String

    /// Reads a full id; nil for anything else, abbreviations included.
    public init?(_ text: some StringProtocol) {
        guard [40, 64].contains(text.utf8.count), Hex.decode(text) != nil else { return nil }
        hex = String(text)
    }

    init(bytes: some Sequence<UInt8>) { hex = Hex.encode(bytes) }

    var bytes: [UInt8] { Hex.decode(hex) ?? [] }

    public var description: String { hex }

    /// Ten digits, for people.
    public var short: String { String(hex.prefix(10)) }

    public static func < (a: ObjectID, b: ObjectID) -> Bool { a.hex.utf8.lexicographicallyPrecedes(b.hex.utf8) }

    /// The empty tree of SHA-1 repositories; a repository's own is ``Repository/emptyTree``.
    public static let emptyTree = ObjectID(
        bytes: [
            0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88, 0xfb, 0xee,
            0x49, 0x04,
        ])
}
