internal import Base

/// The name of a git object: 40 hex digits, or 64 in a SHA-256 repository.
public struct ObjectID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Lower-case hex digits.
    public let hex: String

    /// Reads a full id; nil for anything else, abbreviations included.
    public init?(_ text: some StringProtocol) {
        var hex = String(text)
        guard hex.withUTF8({ ($0.count == 40 || $0.count == 64) && Hex.isHex($0) }) else { return nil }
        self.hex = hex
    }

    /// Reads the digits out of a text's bytes; nil for anything else than a full id.
    public init?(digits: UnsafeBufferPointer<UInt8>) {
        guard digits.count == 40 || digits.count == 64, Hex.isHex(digits) else { return nil }
        hex = String(decoding: digits, as: UTF8.self)
    }

    init(bytes: some Sequence<UInt8>) { hex = Hex.encode(bytes) }

    init(raw bytes: UnsafeRawBufferPointer) { hex = Hex.encode(raw: bytes) }

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
