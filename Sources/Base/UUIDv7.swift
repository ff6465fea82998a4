/// A UUID of version 7 in 32 hex digits: sorts by time of making, and is a valid MLflow run id (RFC 9562, 5.7).
public struct UUIDv7: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    /// Makes a new id from the clock and 74 random bits.
    public init(at time: Timestamp = .now()) {
        var random = SystemRandomNumberGenerator()
        let milliseconds = UInt64(max(0, time.microseconds / 1000))
        let a = milliseconds << 16 | 0x7000 | random.next() & 0xfff
        let b = 0x8000_0000_0000_0000 | random.next() & 0x3fff_ffff_ffff_ffff
        description = Hex.encode(
            [a, b].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } })
    }

    /// Reads 32 lower-case hex digits.
    public init?(_ text: String) {
        guard text.utf8.count == 32, Hex.decode(text) != nil else { return nil }
        description = text
    }
}
