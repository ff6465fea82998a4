/// Gzip that shrinks (RFC 1951, 1952), by an encoder of our own: with a library's, an image's digest would change with the
/// library, as it does between zlib and zlib-ng.
///
/// Matches are the first longest ones of a short chain; every 64 KiB of content get Huffman codes of their own.
public struct DeflatedGzip {
    private let matcher = Matcher()
    private var bits = BitWriter()
    private var crc = CRC32.start
    private var size: Int64 = 0

    public init() { bits.output = StoredGzip.head }

    /// Takes the next bytes of the content; `emit` gets what they become, sooner or later.
    public mutating func append(
        _ piece: UnsafeRawBufferPointer, _ emit: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        crc = CRC32.update(crc, piece)
        size += Int64(piece.count)
        var rest = piece[...]
        while !rest.isEmpty {
            let count = matcher.add(UnsafeRawBufferPointer(rebasing: rest))
            rest = rest.dropFirst(count)
            if matcher.isFull { try block(isLast: false, emit) }
        }
    }

    /// Ends the file.
    public mutating func finish(_ emit: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        try block(isLast: true, emit)
        bits.align()
        bits.output += StoredGzip.tail(crc: crc, contentSize: size)
        try flush(emit)
    }

    private mutating func block(isLast: Bool, _ emit: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        HuffmanBlock(matcher.tokens()).write(to: &bits, isLast: isLast)
        try flush(emit)
    }

    private mutating func flush(_ emit: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        try bits.output.withUnsafeBytes { try emit($0) }
        bits.output.removeAll(keepingCapacity: true)
    }
}

/// Bits, the first one lowest, as deflate packs them.
struct BitWriter {
    var output: [UInt8] = []
    private var pending: UInt64 = 0
    private var count: UInt64 = 0

    @inline(__always)
    mutating func put(_ value: UInt32, _ width: Int) {
        pending |= UInt64(value) << count
        count += UInt64(width)
        while count >= 8 {
            output.append(UInt8(truncatingIfNeeded: pending))
            pending >>= 8
            count -= 8
        }
    }

    mutating func align() {
        if count > 0 { put(0, 8 - Int(count)) }
    }
}

/// Finds what has stood before within 32 KiB.
///
/// A token is a literal byte, or with the high bit `length - 3` (8 bits from bit 16) and `distance - 1` (15 bits).
final class Matcher {
    private static let window = 32_768
    private static let blockSize = 65_536
    private static let longest = 258
    private static let shortest = 4
    private static let hashBits: UInt32 = 15
    private static let depth = 16

    private let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * Matcher.window + Matcher.blockSize)
    /// The newest position of a hash, and of each position the one before with the same; -1: none.
    private let heads = UnsafeMutablePointer<Int32>.allocate(capacity: 1 << Int(Matcher.hashBits))
    private let chain = UnsafeMutablePointer<Int32>.allocate(capacity: Matcher.window)
    private var start = 0
    private var end = 0

    init() { heads.initialize(repeating: -1, count: 1 << Int(Self.hashBits)) }

    deinit {
        bytes.deallocate()
        heads.deallocate()
        chain.deallocate()
    }

    var isFull: Bool { end - start == Self.blockSize }

    /// Takes as many bytes as there is room for in this block.
    func add(_ piece: UnsafeRawBufferPointer) -> Int {
        let count = min(piece.count, Self.blockSize - (end - start))
        if let base = piece.baseAddress {
            UnsafeMutableRawPointer(bytes + end).copyMemory(from: base, byteCount: count)
        }
        end += count
        return count
    }

    /// The tokens of the block, which is then part of the window.
    func tokens() -> [UInt32] {
        var tokens: [UInt32] = []
        tokens.reserveCapacity(end - start)
        var at = start
        while at < end {
            let (length, distance) = match(at)
            if length == 0 {
                tokens.append(UInt32(bytes[at]))
                enter(at)
                at += 1
            } else {
                tokens.append(1 << 31 | UInt32(length - 3) << 16 | UInt32(distance - 1))
                for position in at..<at + length { enter(position) }
                at += length
            }
        }
        slide()
        return tokens
    }

    @inline(__always)
    private func hash(_ at: Int) -> Int {
        let word = UnsafeRawPointer(bytes + at).loadUnaligned(as: UInt32.self).littleEndian
        return Int((word &* 0x9e37_79b1) >> (32 - Self.hashBits))
    }

    @inline(__always)
    private func enter(_ at: Int) {
        guard at + Self.shortest <= end else { return }
        let hash = hash(at)
        chain[at % Self.window] = heads[hash]
        heads[hash] = Int32(at)
    }

    private func match(_ at: Int) -> (length: Int, distance: Int) {
        let most = min(Self.longest, end - at)
        guard most >= Self.shortest else { return (0, 0) }
        var best = (length: 0, distance: 0)
        var candidate = Int(heads[hash(at)])
        var tries = Self.depth
        while candidate >= 0, at - candidate <= Self.window, tries > 0 {
            var length = 0
            while length < most, bytes[candidate + length] == bytes[at + length] { length += 1 }
            if length >= Self.shortest, length > best.length {
                best = (length, at - candidate)
                if length == most { break }
            }
            let before = Int(chain[candidate % Self.window])
            if before >= candidate { break }
            candidate = before
            tries -= 1
        }
        return best
    }

    /// Keeps the last 32 KiB as what can be referred to.
    private func slide() {
        let shift = max(0, end - Self.window)
        // Whole windows, so that a position keeps its place in the chain.
        let whole = shift / Self.window * Self.window
        if whole > 0 {
            UnsafeMutableRawPointer(bytes).copyMemory(from: bytes + whole, byteCount: end - whole)
            for i in 0..<(1 << Int(Self.hashBits)) { heads[i] = max(-1, heads[i] - Int32(whole)) }
            for i in 0..<Self.window { chain[i] = max(-1, chain[i] - Int32(whole)) }
            end -= whole
        }
        start = end
    }
}
