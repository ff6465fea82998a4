import Crypto
public import SystemPackage

/// A SHA-256 digest: the one name of every piece of content.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// 32 bytes.
    public let bytes: [UInt8]

    /// Reads 64 hex digits, with or without `sha256:` before them; nil for anything else, upper case included.
    public init?(_ text: some StringProtocol) {
        let hex = text.hasPrefix("sha256:") ? text.dropFirst(7) : text[...]
        guard let bytes = Hex.decode(hex), bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    init(_ digest: SHA256.Digest) {
        bytes = Array(digest)
    }

    /// 64 lower-case hex digits: a git-lfs oid.
    public var hex: String { Hex.encode(bytes) }

    /// `sha256:` and 64 hex digits, as registries and event lines write it.
    public var description: String { "sha256:" + hex }

    /// The first 12 hex digits, for people.
    public var short: String { String(hex.prefix(12)) }

    public static func < (a: Digest, b: Digest) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

    /// Hashes bytes that are in memory.
    public static func of(_ bytes: some Sequence<UInt8>) -> Digest {
        var hasher = Hasher()
        if bytes.withContiguousStorageIfAvailable({ hasher.update(UnsafeRawBufferPointer($0)) }) == nil {
            hasher.update(Array(bytes))
        }
        return hasher.finish()
    }

    /// Hashes the UTF-8 bytes of a text.
    public static func of(_ text: String) -> Digest { of(text.utf8) }

    /// Hashes a file in pieces of 1 MiB.
    ///
    /// - Returns: The digest and the number of bytes that were read.
    public static func of(file: FilePath) throws -> (digest: Digest, size: Int64) {
        var hasher = Hasher()
        let size = try Files.readPieces(of: file) { hasher.update($0) }
        return (hasher.finish(), size)
    }

    /// An incremental SHA-256.
    public struct Hasher: Sendable {
        private var state = SHA256()

        public init() {}

        public mutating func update(_ piece: UnsafeRawBufferPointer) { state.update(bufferPointer: piece) }
        public mutating func update(_ piece: [UInt8]) { piece.withUnsafeBytes { state.update(bufferPointer: $0) } }

        /// The digest of what was given so far; the hasher can go on.
        public func finish() -> Digest { Digest(state.finalize()) }
    }
}

/// Lower-case hexadecimal.
public enum Hex {
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        Array(bytes).withUnsafeBytes { encode(raw: $0) }
    }

    /// The same without a copy, for where many are written.
    public static func encode(raw bytes: UnsafeRawBufferPointer) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 2) { text in
            for i in 0..<bytes.count {
                text[2 * i] = digit(bytes[i] >> 4)
                text[2 * i + 1] = digit(bytes[i] & 15)
            }
            return bytes.count * 2
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// Whether a text has nothing but lower-case hex digits.
    public static func isHex(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool { bytes.allSatisfy { value($0) != nil } }

    /// The bytes of an even number of lower-case hex digits, or nil.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let units = Array(text.utf8)
        guard units.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(units.count / 2)
        for i in stride(from: 0, to: units.count, by: 2) {
            guard let high = value(units[i]), let low = value(units[i + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ unit: UInt8) -> UInt8? {
        switch unit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): unit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): unit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
