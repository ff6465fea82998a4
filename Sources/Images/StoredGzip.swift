/// Gzip made of stored blocks only: every reader takes it, and its bytes can never change with a library.
///
/// A model hardly shrinks, and deflating it would cost thirty times the hashing (RFC 1951, 3.2.4; RFC 1952).
struct StoredGzip {
    private static let blockSize = 65_535
    private let write: (UnsafeRawBufferPointer) throws -> Void
    private var crc: UInt32 = 0xffff_ffff
    private var size: UInt32 = 0
    private var buffer: [UInt8] = []

    init(write: @escaping (UnsafeRawBufferPointer) throws -> Void) throws {
        self.write = write
        buffer.reserveCapacity(Self.blockSize)
        // No name, no time, unknown system: nothing that could differ.
        try put([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
    }

    mutating func append(_ piece: UnsafeRawBufferPointer) throws {
        crc = CRC32.update(crc, piece)
        size &+= UInt32(truncatingIfNeeded: piece.count)
        var rest = piece[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.blockSize - buffer.count)
            buffer.append(contentsOf: part)
            rest = rest.dropFirst(part.count)
            if buffer.count == Self.blockSize { try block(isLast: false) }
        }
    }

    mutating func finish() throws {
        try block(isLast: true)
        let end = crc ^ 0xffff_ffff
        try put([end, size].flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
    }

    private mutating func block(isLast: Bool) throws {
        let length = UInt16(buffer.count)
        try put([
            isLast ? 1 : 0, UInt8(length & 0xff), UInt8(length >> 8), UInt8(~length & 0xff), UInt8(~length >> 8),
        ])
        try put(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }
}

/// The checksum of gzip, eight bytes at a time ("slicing by 8", Kounavis and Berry 2005).
enum CRC32 {
    private static let tables: [[UInt32]] = {
        var tables = [[UInt32]](repeating: [UInt32](repeating: 0, count: 256), count: 8)
        for i in 0..<256 {
            var value = UInt32(i)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
            tables[0][i] = value
        }
        for i in 0..<256 {
            for t in 1..<8 {
                let before = tables[t - 1][i]
                tables[t][i] = before >> 8 ^ tables[0][Int(before & 0xff)]
            }
        }
        return tables
    }()
    private static let flat: [UInt32] = tables.flatMap { $0 }

    /// Goes on with a checksum; start with `0xffffffff` and invert at the end.
    static func update(_ start: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        flat.withUnsafeBufferPointer { table in
            var crc = start
            var at = 0
            while at + 8 <= bytes.count {
                let low = bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian ^ crc
                let high = bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self).littleEndian
                crc =
                    table[1792 + Int(low & 0xff)] ^ table[1536 + Int(low >> 8 & 0xff)]
                    ^ table[1280 + Int(low >> 16 & 0xff)] ^ table[1024 + Int(low >> 24)]
                    ^ table[768 + Int(high & 0xff)] ^ table[512 + Int(high >> 8 & 0xff)]
                    ^ table[256 + Int(high >> 16 & 0xff)] ^ table[Int(high >> 24)]
                at += 8
            }
            while at < bytes.count {
                crc = crc >> 8 ^ table[Int((crc ^ UInt32(bytes[at])) & 0xff)]
                at += 1
            }
            return crc
        }
    }
}
