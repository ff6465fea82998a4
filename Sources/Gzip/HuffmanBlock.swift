/// One deflate block with Huffman codes of its own (RFC 1951, 3.2.7).
struct HuffmanBlock {
    private static let endOfBlock = 256
    private let tokens: [UInt32]
    private var literals = [Int](repeating: 0, count: 286)
    private var distances = [Int](repeating: 0, count: 30)

    init(_ tokens: [UInt32]) {
        self.tokens = tokens
        for token in tokens {
            if token >> 31 == 0 {
                literals[Int(token)] += 1
            } else {
                literals[Symbols.length(token).symbol] += 1
                distances[Symbols.distance(token).symbol] += 1
            }
        }
        literals[Self.endOfBlock] = 1
        // A block without matches still describes one distance.
        if !distances.contains(where: { $0 > 0 }) { distances[0] = 1 }
    }

    func write(to bits: inout BitWriter, isLast: Bool) {
        let literal = HuffmanCode(literals, limit: 15)
        let distance = HuffmanCode(distances, limit: 15)
        bits.put(isLast ? 1 : 0, 1)
        bits.put(2, 2)
        Self.writeCodes(literal, distance, to: &bits)
        for token in tokens {
            if token >> 31 == 0 {
                literal.write(Int(token), to: &bits)
            } else {
                let length = Symbols.length(token)
                literal.write(length.symbol, to: &bits)
                bits.put(length.extra, length.width)
                let far = Symbols.distance(token)
                distance.write(far.symbol, to: &bits)
                bits.put(far.extra, far.width)
            }
        }
        literal.write(Self.endOfBlock, to: &bits)
    }

    /// The lengths of both codes, themselves coded: runs of one length by 16, 17 and 18.
    private static func writeCodes(_ literal: HuffmanCode, _ distance: HuffmanCode, to bits: inout BitWriter) {
        let literalCount = max(257, literal.used)
        let distanceCount = max(1, distance.used)
        let lengths = Array(literal.lengths[..<literalCount]) + Array(distance.lengths[..<distanceCount])
        let runs = Self.runs(lengths)
        var frequencies = [Int](repeating: 0, count: 19)
        for run in runs { frequencies[run.symbol] += 1 }
        let code = HuffmanCode(frequencies, limit: 7)
        let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
        let count = max(4, (order.lastIndex { code.lengths[$0] > 0 } ?? 0) + 1)
        bits.put(UInt32(literalCount - 257), 5)
        bits.put(UInt32(distanceCount - 1), 5)
        bits.put(UInt32(count - 4), 4)
        for symbol in order[..<count] { bits.put(UInt32(code.lengths[symbol]), 3) }
        for run in runs {
            code.write(run.symbol, to: &bits)
            bits.put(run.extra, run.width)
        }
    }

    private static func runs(_ lengths: [Int]) -> [(symbol: Int, extra: UInt32, width: Int)] {
        var runs: [(symbol: Int, extra: UInt32, width: Int)] = []
        var at = 0
        while at < lengths.count {
            let value = lengths[at]
            var count = 1
            while at + count < lengths.count, lengths[at + count] == value { count += 1 }
            at += count
            if value != 0 {
                runs.append((value, 0, 0))
                count -= 1
            }
            while count >= 3 {
                let most = value == 0 ? 138 : 6
                let part = min(count, most)
                switch (value, part) {
                case (0, 11...): runs.append((18, UInt32(part - 11), 7))
                case (0, _): runs.append((17, UInt32(part - 3), 3))
                default: runs.append((16, UInt32(part - 3), 2))
                }
                count -= part
            }
            for _ in 0..<count { runs.append((value, 0, 0)) }
        }
        return runs
    }
}

/// Lengths and distances as symbols with extra bits (RFC 1951, 3.2.5).
private enum Symbols {
    typealias Coded = (symbol: Int, extra: UInt32, width: Int)

    static func length(_ token: UInt32) -> Coded {
        let value = Int(token >> 16 & 0xff)
        if value == 255 { return (285, 0, 0) }
        if value < 8 { return (257 + value, 0, 0) }
        let width = Int.bitWidth - 1 - value.leadingZeroBitCount - 2
        return (257 + 4 * width + (value >> width), UInt32(value & (1 << width - 1)), width)
    }

    static func distance(_ token: UInt32) -> Coded {
        let value = Int(token & 0x7fff)
        if value < 4 { return (value, 0, 0) }
        let width = Int.bitWidth - 1 - value.leadingZeroBitCount - 1
        return (2 * width + (value >> width), UInt32(value & (1 << width - 1)), width)
    }
}

/// A canonical Huffman code with a limit on its lengths.
struct HuffmanCode {
    private(set) var lengths: [Int]
    /// The codes, their bits reversed, as they are written.
    private var codes: [UInt32]

    init(_ frequencies: [Int], limit: Int) {
        lengths = Self.lengths(frequencies, limit: limit)
        codes = [UInt32](repeating: 0, count: lengths.count)
        var next: UInt32 = 0
        for length in 1...limit {
            next <<= 1
            for symbol in lengths.indices where lengths[symbol] == length {
                codes[symbol] = Self.reversed(next, length)
                next += 1
            }
        }
    }

    /// One more than the last symbol that has a code.
    var used: Int { (lengths.lastIndex { $0 > 0 } ?? -1) + 1 }

    @inline(__always)
    func write(_ symbol: Int, to bits: inout BitWriter) { bits.put(codes[symbol], lengths[symbol]) }

    private static func reversed(_ code: UInt32, _ width: Int) -> UInt32 {
        var result: UInt32 = 0
        for bit in 0..<width where code >> UInt32(bit) & 1 == 1 { result |= 1 << UInt32(width - 1 - bit) }
        return result
    }

    private static func lengths(_ frequencies: [Int], limit: Int) -> [Int] {
        let symbols = frequencies.indices.filter { frequencies[$0] > 0 }
            .sorted { (frequencies[$0], $0) < (frequencies[$1], $1) }
        var lengths = [Int](repeating: 0, count: frequencies.count)
        guard symbols.count > 1 else {
            for symbol in symbols { lengths[symbol] = 1 }
            return lengths
        }
        var counts = Self.counts(symbols.map { frequencies[$0] }, limit: limit)
        // The rarest get the longest.
        var longest = limit
        for symbol in symbols {
            while counts[longest] == 0 { longest -= 1 }
            lengths[symbol] = longest
            counts[longest] -= 1
        }
        return lengths
    }

    /// How many codes of each length there are, of weights in rising order.
    private static func counts(_ weights: [Int], limit: Int) -> [Int] {
        // Huffman's algorithm with two queues: the leaves, and the nodes made, which rise too.
        var parents = [Int](repeating: 0, count: 2 * weights.count - 1)
        var nodes: [Int] = []
        var (leaf, node) = (0, 0)
        func take(_ parent: Int) -> Int {
            if leaf < weights.count, node >= nodes.count || weights[leaf] <= nodes[node] {
                parents[leaf] = parent
                leaf += 1
                return weights[leaf - 1]
            }
            parents[weights.count + node] = parent
            node += 1
            return nodes[node - 1]
        }
        while nodes.count < weights.count - 1 {
            let parent = weights.count + nodes.count
            let sum = take(parent) + take(parent)
            nodes.append(sum)
        }
        var depths = [Int](repeating: 0, count: parents.count)
        for i in parents.indices.dropLast().reversed() { depths[i] = depths[parents[i]] + 1 }
        var counts = [Int](repeating: 0, count: limit + 1)
        for depth in depths[..<weights.count] { counts[min(depth, limit)] += 1 }
        // Codes that were cut to the limit take too much room: others are made longer until all fit (Kraft).
        var total = (1...limit).reduce(0) { $0 + counts[$1] << (limit - $1) }
        while total > 1 << limit {
            counts[limit] -= 1
            if let length = (1..<limit).last(where: { counts[$0] > 0 }) {
                counts[length] -= 1
                counts[length + 1] += 2
            }
            total -= 1
        }
        return counts
    }
}
