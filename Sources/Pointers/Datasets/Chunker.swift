/// Finds content-defined boundaries: FastCDC with a gear hash and normalised cut probability.
///
/// Parts of 64 to 512 KiB, 290 KiB on average: a change of 1 MiB anywhere renews the parts that it touches and those up to the
/// next boundary that both versions have, 1.7 MiB on average (24 random changes: at most 2.6 MiB). The table is made by SplitMix64 from a fixed seed: it is part of the format only in so far as
/// two versions share content when both were cut by the same table.
struct Chunker {
    static let minimum = 64 << 10
    static let average = 256 << 10
    static let maximum = 512 << 10

    /// Zero with one chance in 2²⁰ before the average length, in 2¹⁶ behind it; high bits, which depend on the last 64 bytes.
    private static let strict: UInt64 = ((1 << 20) - 1) << 44
    private static let loose: UInt64 = ((1 << 16) - 1) << 48

    private static let gear: [UInt64] = {
        var state: UInt64 = 0x6769_742d_6d6c_0001
        return (0..<256).map { _ in
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }()

    /// The length of the first part of `bytes`.
    ///
    /// Nil when the boundary may lie beyond: at most ``maximum`` bytes are needed to say. `isEnd` says that nothing follows.
    static func cut(_ bytes: UnsafeRawBufferPointer, isEnd: Bool) -> Int? {
        let count = min(bytes.count, maximum)
        if count <= minimum { return isEnd && count > 0 ? count : nil }
        return gear.withUnsafeBufferPointer { gear -> Int? in
            var hash: UInt64 = 0
            var i = minimum
            // The hash looks at 64 bytes: where it starts does not matter beyond them.
            for k in (minimum - 64)..<minimum { hash = (hash << 1) &+ gear[Int(bytes[k])] }
            let middle = min(average, count)
            while i < middle {
                hash = (hash << 1) &+ gear[Int(bytes[i])]
                i += 1
                if hash & strict == 0 { return i }
            }
            while i < count {
                hash = (hash << 1) &+ gear[Int(bytes[i])]
                i += 1
                if hash & loose == 0 { return i }
            }
            return count == maximum || isEnd ? count : nil
        }
    }
}
