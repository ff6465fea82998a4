internal import Base

/// A SHA-256 digest without an allocation of its own: a dataset holds millions.
struct ContentName: Hashable, Sendable {
    private var a: UInt64
    private var b: UInt64
    private var c: UInt64
    private var d: UInt64

    static let none = ContentName(a: 0, b: 0, c: 0, d: 0)

    private init(a: UInt64, b: UInt64, c: UInt64, d: UInt64) {
        self.a = a
        self.b = b
        self.c = c
        self.d = d
    }

    init(_ digest: Digest) { self = digest.bytes.withUnsafeBytes { ContentName(raw: $0) } }

    /// 32 bytes.
    init(raw: UnsafeRawBufferPointer) {
        func word(_ i: Int) -> UInt64 { UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self)) }
        self.init(a: word(0), b: word(1), c: word(2), d: word(3))
    }

    /// 64 lower-case hex digits; nil for anything else.
    init?(hex: UnsafeRawBufferPointer) {
        guard hex.count == 64 else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        func word(_ i: Int) -> UInt64? { Self.word(hex: UnsafeRawBufferPointer(rebasing: hex[i * 16..<i * 16 + 16])) }
        guard let a = word(0), let b = word(1), let c = word(2), let d = word(3) else { return nil }
        words = (a, b, c, d)
        self.init(a: words.0, b: words.1, c: words.2, d: words.3)
    }

    /// 16 lower-case hex digits.
    static func word(hex: UnsafeRawBufferPointer) -> UInt64? {
        guard hex.count == 16 else { return nil }
        var value: UInt64 = 0
        for unit in hex {
            let digit: UInt8
            switch unit {
            case 48...57: digit = unit - 48
            case 97...102: digit = unit - 87
            default: return nil
            }
            value = value << 4 | UInt64(digit)
        }
        return value
    }

    func hash(into hasher: inout Hasher) { hasher.combine(a) }

    /// The first 8 bytes, by which a manifest's lines name a pack of its table.
    var prefix: UInt64 { a }

    var hex: String { digest.hex }

    var digest: Digest {
        var text: [UInt8] = []
        appendHex(to: &text)
        // 64 digits that were just made are a digest.
        return Digest(String(decoding: text, as: UTF8.self)) ?? Digest.of([])
    }

    func appendHex(to bytes: inout [UInt8]) { for word in [a, b, c, d] { Self.appendHex(word, to: &bytes) } }

    static func appendHex(_ word: UInt64, to bytes: inout [UInt8]) {
        var shift: UInt64 = 64
        while shift > 0 {
            shift -= 4
            let digit = UInt8(truncatingIfNeeded: word >> shift) & 15
            bytes.append(digit < 10 ? digit + 48 : digit + 87)
        }
    }

    func append(to bytes: inout [UInt8]) {
        for word in [a, b, c, d] { withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) } }
    }
}

extension ContentName: Comparable {
    static func < (x: ContentName, y: ContentName) -> Bool { (x.a, x.b, x.c, x.d) < (y.a, y.b, y.c, y.d) }
}

extension ContentName {
    /// Hashes bytes that are in memory.
    init(hashing bytes: UnsafeRawBufferPointer) {
        var hasher = Digest.Hasher()
        hasher.update(bytes)
        self.init(hasher.finish())
    }
}
