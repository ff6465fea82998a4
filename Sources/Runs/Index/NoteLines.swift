internal import Base

/// The id of a run as 16 bytes.
struct RunKey: Hashable, Comparable, Sendable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads 32 lower-case hex digits.
    init?(_ text: some StringProtocol) {
        let units = Array(text.utf8)
        guard units.count == 32, let key = units.withUnsafeBufferPointer({ RunKey(digits: $0[...]) }) else {
            return nil
        }
        self = key
    }

    init?(digits: Slice<UnsafeBufferPointer<UInt8>>) {
        var (high, low) = (UInt64(0), UInt64(0))
        for (i, unit) in digits.enumerated() {
            let digit: UInt8
            switch unit {
            case 48...57: digit = unit - 48
            case 97...102: digit = unit - 87
            default: return nil
            }
            if i < 16 { high = high << 4 | UInt64(digit) } else { low = low << 4 | UInt64(digit) }
        }
        self.init(high: high, low: low)
    }

    init(bytes: [UInt8]) {
        let words = stride(from: 0, to: 16, by: 8).map { start in
            bytes.dropFirst(start).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        self.init(high: words[0], low: words[1])
    }

    var bytes: [UInt8] {
        [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
    }

    var text: String { Hex.encode(bytes) }

    static func < (a: RunKey, b: RunKey) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

/// The event lines of one note, read where they lie.
///
/// A line of the format has its run's id at a fixed place: `{"t":"` and 27 bytes of time, then `","run":"`. Lines of
/// other writers that put it elsewhere are parsed; those without a run's id are passed over.
enum NoteLines {
    /// Calls `body` for each line that is not empty, without its line feed.
    static func each(
        _ note: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) throws -> Void
    ) rethrows {
        var at = 0
        while at < note.count {
            let end = lineEnd(note, from: at)
            if end > at { try body(UnsafeBufferPointer(rebasing: note[at..<end])) }
            at = end + 1
        }
    }

    private static func lineEnd(_ note: UnsafeBufferPointer<UInt8>, from at: Int) -> Int {
        guard let base = note.baseAddress, let found = memchr(base + at, 0x0a, note.count - at) else {
            return note.count
        }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    private static let head = Array(#"{"t":""#.utf8)
    private static let middle = Array(#"","run":""#.utf8)

    /// The run that a line tells of.
    static func run(of line: UnsafeBufferPointer<UInt8>) -> RunKey? {
        if line.count > 75, line[74] == UInt8(ascii: "\""), isEqual(line, at: 0, head), isEqual(line, at: 33, middle),
            let key = RunKey(digits: line[42..<74])
        {
            return key
        }
        return (try? JSON.parse(Array(line)))?["run"]?.string.flatMap { RunKey($0) }
    }

    private static func isEqual(_ line: UnsafeBufferPointer<UInt8>, at place: Int, _ text: [UInt8]) -> Bool {
        guard let base = line.baseAddress else { return false }
        return text.withUnsafeBytes { memcmp(base + place, $0.baseAddress ?? UnsafeRawPointer(base), $0.count) == 0 }
    }

    /// Tells two notes apart, line by line, in one pass: both are sorted by their bytes.
    ///
    /// Where somebody else's tool left them unsorted, a line may be told as removed and added; nothing is lost by it.
    static func difference(
        from old: UnsafeBufferPointer<UInt8>, to new: UnsafeBufferPointer<UInt8>,
        removed: (UnsafeBufferPointer<UInt8>) throws -> Void, added: (UnsafeBufferPointer<UInt8>) throws -> Void
    ) rethrows {
        var (a, b) = (0, 0)
        while a < old.count || b < new.count {
            let (endA, endB) = (lineEnd(old, from: min(a, old.count)), lineEnd(new, from: min(b, new.count)))
            let lineA = UnsafeBufferPointer(rebasing: old[min(a, old.count)..<endA])
            let lineB = UnsafeBufferPointer(rebasing: new[min(b, new.count)..<endB])
            let order = a >= old.count ? 1 : b >= new.count ? -1 : compare(lineA, lineB)
            if order < 0, !lineA.isEmpty { try removed(lineA) }
            if order > 0, !lineB.isEmpty { try added(lineB) }
            if order <= 0 { a = endA + 1 }
            if order >= 0 { b = endB + 1 }
        }
    }

    private static func compare(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        let count = min(a.count, b.count)
        if count > 0, let x = a.baseAddress, let y = b.baseAddress {
            let order = memcmp(x, y, count)
            if order != 0 { return Int(order) }
        }
        return a.count - b.count
    }
}
