internal import Base

/// What a program prints, of which the beginning and the end are kept, however much it is.
struct BoundedLog {
    /// The most bytes kept of the beginning, and of the end.
    static let part = 256 << 10

    private var head: [UInt8] = []
    /// The last bytes, as a ring.
    private var ring: [UInt8] = []
    private var start = 0
    /// How many bytes there were.
    private(set) var total = 0

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        total += bytes.count
        var rest = bytes[...]
        if head.count < Self.part {
            let count = min(rest.count, Self.part - head.count)
            head += rest.prefix(count)
            rest = rest.dropFirst(count)
        }
        // What would be pushed out again at once need not go in.
        rest = rest.suffix(Self.part)
        let free = min(rest.count, Self.part - ring.count)
        ring += rest.prefix(free)
        rest = rest.dropFirst(free)
        while !rest.isEmpty {
            let piece = rest.prefix(Self.part - start)
            ring.withUnsafeMutableBytes { ring in
                UnsafeMutableRawBufferPointer(rebasing: ring[start...]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: piece))
            }
            start = (start + piece.count) % Self.part
            rest = rest.dropFirst(piece.count)
        }
    }

    /// What is kept; a line says how much is not.
    var bytes: [UInt8] {
        let tail = ring[start...] + ring[..<start]
        let lost = total - head.count - ring.count
        if lost == 0 { return head + tail }
        return head + Array("\n[… \(ByteCount.format(Int64(lost))) left out …]\n".utf8) + tail
    }

    /// The last lines that are not blank, each cut at 400 characters.
    func lastLines(_ count: Int) -> [String] {
        let end = ring.isEmpty ? head[...] : (ring[start...] + ring[..<start])[...]
        return end.suffix(16 << 10).split(separator: 0x0a).suffix(count * 2).map { line in
            String(String(decoding: line, as: UTF8.self).trimmingTrailingSpace.prefix(400))
        }.filter { !$0.isEmpty }.suffix(count)
    }
}
