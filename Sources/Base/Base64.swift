/// Base64 with padding (RFC 4648, 4).
public enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8: UInt32] = Dictionary(
        uniqueKeysWithValues: digits.enumerated().map { ($1, UInt32($0)) })

    public static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let piece = bytes[start..<min(start + 3, bytes.count)]
            let bits = piece.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << (16 - 8 * UInt32($1.offset)) }
            for i in 0..<4 {
                text.append(i <= piece.count ? digits[Int(bits >> (18 - 6 * UInt32(i)) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a text; nil for anything that ``encode(_:)`` does not write.
    public static func decode(_ text: String) -> [UInt8]? {
        let units = Array(text.utf8)
        guard units.count.isMultiple(of: 4) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(units.count / 4 * 3)
        for start in stride(from: 0, to: units.count, by: 4) {
            let isLast = start + 4 == units.count
            let padding = isLast ? units[start..<start + 4].reversed().prefix { $0 == UInt8(ascii: "=") }.count : 0
            guard padding <= 2 else { return nil }
            var bits: UInt32 = 0
            for unit in units[start..<start + 4 - padding] {
                guard let value = values[unit] else { return nil }
                bits = bits << 6 | value
            }
            bits <<= 6 * UInt32(padding)
            guard bits & ((1 << (8 * UInt32(padding))) - 1) == 0 else { return nil }
            for i in 0..<3 - padding { bytes.append(UInt8(truncatingIfNeeded: bits >> (16 - 8 * UInt32(i)))) }
        }
        return bytes
    }
}
