/// Objects as git's processes hand them to each other (gitformat-pack(5)), not compressed: `git unpack-objects`
/// compresses them as it stores each.
struct PackStream {
    let bytes: [UInt8]

    init(_ objects: [(kind: ObjectKind, bytes: [UInt8])], format: ObjectFormat) {
        var bytes = Array("PACK".utf8) + Self.bigEndian(2) + Self.bigEndian(UInt32(objects.count))
        bytes.reserveCapacity(objects.reduce(64) { $0 + $1.bytes.count + 24 })
        for (kind, content) in objects {
            Self.appendHeader(kind, content.count, to: &bytes)
            Self.appendStored(content, to: &bytes)
        }
        self.bytes = bytes + format.hash(bytes)
    }

    private static func bigEndian(_ number: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    /// Three bits of kind and the size: its lowest four bits first, then seven at a time.
    private static func appendHeader(_ kind: ObjectKind, _ size: Int, to bytes: inout [UInt8]) {
        let code: UInt8 =
            switch kind {
            case .commit: 1
            case .tree: 2
            case .blob: 3
            case .tag: 4
            }
        var rest = size >> 4
        bytes.append(code << 4 | UInt8(size & 15) | (rest > 0 ? 0x80 : 0))
        while rest > 0 {
            bytes.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        }
    }

    /// A zlib stream (RFC 1950) of stored blocks (RFC 1951, 3.2.4).
    private static func appendStored(_ content: [UInt8], to bytes: inout [UInt8]) {
        bytes += [0x78, 0x01]
        var start = 0
        repeat {
            let end = min(start + 0xffff, content.count)
            let count = UInt16(end - start)
            bytes.append(end == content.count ? 1 : 0)
            for number in [count, ~count] {
                bytes.append(UInt8(truncatingIfNeeded: number))
                bytes.append(UInt8(truncatingIfNeeded: number >> 8))
            }
            bytes += content[start..<end]
            start = end
        } while start < content.count
        bytes += bigEndian(adler32(content))
    }

    private static func adler32(_ content: [UInt8]) -> UInt32 {
        var (a, b): (UInt32, UInt32) = (1, 0)
        var at = 0
        while at < content.count {
            // 5,552 bytes is as far as the sums go without overflow (RFC 1950, 9).
            for byte in content[at..<min(at + 5552, content.count)] {
                a += UInt32(byte)
                b += a
            }
            (a, b) = (a % 65521, b % 65521)
            at += 5552
        }
        return b << 16 | a
    }
}
