/// A UUID of version 7 in 32 hex digits: sorts by time of making, and is a valid MLflow run id (RFC 9562, 5.7).
public struct UUIDv7: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    /// Makes a new id from the clock and 74 random bits.
    public init(at time: Timestamp = .now()) {
        var random = SystemRandomNumberGenerator()
        self.init(at: time, random: (random.next(), random.next()))
    }

    private init(at time: Timestamp, random: (UInt64, UInt64)) {
        let milliseconds = UInt64(max(0, time.microseconds / 1000))
        let a = milliseconds << 16 | 0x7000 | random.0 & 0xfff
        let b = 0x8000_0000_0000_0000 | random.1 & 0x3fff_ffff_ffff_ffff
        description = Hex.encode(
            [a, b].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } })
    }

    /// The id of something that is found again and again: the same every time, from its time and what identifies it.
    public init(at time: Timestamp, identifying text: String) {
        let bytes = Digest.of(text).bytes
        let random = (0..<2).map { half in bytes[half * 8..<half * 8 + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        self.init(at: time, random: (random[0], random[1]))
    }

    /// Reads 32 lower-case hex digits.
    public init?(_ text: String) {
        guard text.utf8.count == 32, Hex.decode(text) != nil else { return nil }
        description = text
    }
}
