/// CRC-32C (Castagnoli), as TFRecord files carry it.
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
    }

    static func of(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        table.withUnsafeBufferPointer { table in
            var crc: UInt32 = 0xffff_ffff
            for byte in bytes { crc = crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
            return ~crc
        }
    }

    /// The form in which files carry it, so that a checksum over data with checksums in it stays useful.
    static func masked(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        let crc = of(bytes)
        return (crc >> 15 | crc << 17) &+ 0xa282_ead8
    }
}

/// Takes a TFRecord file apart: length (8 bytes), its checksum (4), data, their checksum (4), and so on.
///
/// Fed piece by piece, it holds one record at a time. A last record that is not whole is what a running writer leaves:
/// the end, not an error. Records above 16 MiB are passed over unread: images, never scalars.
struct RecordFrames {
    /// Why the file cannot be read from here on; what came before is good.
    private(set) var damage: String?
    private static let limit: UInt64 = 16 << 20
    private var buffer: [UInt8] = []
    /// Bytes of a record that is too large to hold, still to come.
    private var skipped: UInt64 = 0
    /// Where in the file the buffer begins.
    private var offset: UInt64 = 0

    /// Takes the file's next bytes in and gives each whole record to `body`.
    mutating func feed(_ piece: UnsafeRawBufferPointer, _ body: (ArraySlice<UInt8>) throws -> Void) rethrows {
        if damage != nil { return }
        let jump = min(skipped, UInt64(piece.count))
        skipped -= jump
        offset += jump
        buffer += piece.dropFirst(Int(jump))
        var at = 0
        while damage == nil, let end = try frame(at: at, body) { at = end }
        buffer.removeFirst(min(at, buffer.count))
        offset += UInt64(at)
    }

    /// Reads the frame that starts there; the answer is where the next one does, or nil when it is not all here yet.
    private mutating func frame(at start: Int, _ body: (ArraySlice<UInt8>) throws -> Void) rethrows -> Int? {
        guard skipped == 0, buffer.count - start >= 12 else { return nil }
        guard CRC32C.masked(buffer[start..<start + 8]) == UInt32(truncatingIfNeeded: number(start + 8, 4)) else {
            damage = "the record at byte \(offset + UInt64(start)) has a wrong checksum"
            return nil
        }
        let length = number(start, 8)
        let there = UInt64(buffer.count - start - 12)
        if length > Self.limit {
            let whole = length.addingReportingOverflow(4)
            let rest = whole.overflow ? UInt64.max : whole.partialValue
            skipped = rest > there ? rest - there : 0
            return start + 12 + Int(min(rest, there))
        }
        guard there >= length + 4 else { return nil }
        let data = buffer[start + 12..<start + 12 + Int(length)]
        guard CRC32C.masked(data) == UInt32(truncatingIfNeeded: number(data.endIndex, 4)) else {
            damage = "the record at byte \(offset + UInt64(start)) has a wrong checksum"
            return nil
        }
        try body(data)
        return data.endIndex + 4
    }

    private func number(_ start: Int, _ count: Int) -> UInt64 {
        buffer[start..<start + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
