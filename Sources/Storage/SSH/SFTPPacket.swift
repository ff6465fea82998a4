/// Bytes of the SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02), the one that OpenSSH speaks.
enum SFTPKind {
    static let initialize: UInt8 = 1
    static let version: UInt8 = 2
    static let open: UInt8 = 3
    static let close: UInt8 = 4
    static let read: UInt8 = 5
    static let write: UInt8 = 6
    static let lstat: UInt8 = 7
    static let fstat: UInt8 = 8
    static let fsetstat: UInt8 = 10
    static let remove: UInt8 = 13
    static let mkdir: UInt8 = 14
    static let stat: UInt8 = 17
    static let rename: UInt8 = 18
    static let status: UInt8 = 101
    static let handle: UInt8 = 102
    static let data: UInt8 = 103
    static let attributes: UInt8 = 105
    static let extended: UInt8 = 200
}

/// A packet's body while it is written.
struct SFTPWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ value: UInt8) { bytes.append(value) }
    mutating func put(_ value: UInt32) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }
    mutating func put(_ value: UInt64) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }
    mutating func put(_ text: String) { put(Array(text.utf8)) }
    mutating func put(_ piece: [UInt8]) {
        put(UInt32(piece.count))
        bytes += piece
    }
}

/// A packet's body while it is read; nil where it ends early.
struct SFTPReader {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { at >= bytes.count }

    mutating func byte() -> UInt8? {
        guard at < bytes.count else { return nil }
        defer { at += 1 }
        return bytes[at]
    }

    mutating func number32() -> UInt32? { number(4).map { UInt32(truncatingIfNeeded: $0) } }
    mutating func number64() -> UInt64? { number(8) }

    private mutating func number(_ count: Int) -> UInt64? {
        guard bytes.count - at >= count else { return nil }
        defer { at += count }
        return bytes[at..<at + count].reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func string() -> ArraySlice<UInt8>? {
        guard let count = number32(), bytes.count - at >= Int(count) else { return nil }
        defer { at += Int(count) }
        return bytes[at..<at + Int(count)]
    }

    mutating func text() -> String? { string().map { String(decoding: $0, as: UTF8.self) } }

    /// The size in a set of attributes; nil when it does not say.
    mutating func size() -> Int64? {
        guard let flags = number32(), flags & 1 != 0 else { return nil }
        return number64().map { Int64(truncatingIfNeeded: $0) }
    }
}
