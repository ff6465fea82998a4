internal import CCRC32

/// The checksum of gzip.
public enum CRC32 {
    /// What a checksum starts from; inverted at the end.
    public static let start: UInt32 = 0xffff_ffff

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

    /// Goes on with a checksum; begin with ``start`` and invert at the end.
    public static func update(_ start: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = start
        let done = ccrc32_update(&crc, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
        return byTable(crc, UnsafeRawBufferPointer(rebasing: bytes[done...]))
    }

    /// The same, eight bytes at a time ("slicing by 8", Kounavis and Berry 2005).
    static func byTable(_ start: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
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
