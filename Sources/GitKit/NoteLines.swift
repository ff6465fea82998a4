internal import Base

/// The lines of a note, as bytes.
enum NoteLines {
    /// The union of two notes: each line once, sorted by its bytes, blank lines left out.
    ///
    /// The same bytes as git's `cat_sort_uniq` makes of the two (git's `notes.c`, `combine_notes_cat_sort_uniq`); what we
    /// wrote is sorted already and is only merged.
    static func union(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] {
        a.withUnsafeBytes { a in
            b.withUnsafeBytes { b in
                var out: [UInt8] = []
                out.reserveCapacity(a.count + b.count + 2)
                var (mine, theirs) = (sorted(a)[...], sorted(b)[...])
                while let x = mine.first, let y = theirs.first {
                    let order = compare(x, y)
                    if order <= 0 { mine.removeFirst() }
                    if order >= 0 { theirs.removeFirst() }
                    append(order <= 0 ? x : y, to: &out)
                }
                for line in mine { append(line, to: &out) }
                for line in theirs { append(line, to: &out) }
                return out
            }
        }
    }

    /// The note that holds these lines.
    static func joined(_ lines: some Sequence<String>) -> [UInt8] {
        var bytes: [UInt8] = []
        for line in lines {
            bytes += line.utf8
            bytes.append(0x0a)
        }
        return union(bytes, [])
    }

    /// The lines that are not blank, in the order in which they stand.
    static func lines(_ bytes: [UInt8]) -> [String] {
        bytes.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The lines of `a` that `b` lacks, sorted; blank lines count for nothing.
    static func missing(_ a: [UInt8], in b: [UInt8]) -> [ArraySlice<UInt8>] {
        a.withUnsafeBytes { bytes in
            b.withUnsafeBytes { other in
                guard let base = bytes.baseAddress else { return [] }
                var (mine, theirs) = (sorted(bytes)[...], sorted(other)[...])
                var missing: [ArraySlice<UInt8>] = []
                while let line = mine.first {
                    let order = theirs.first.map { compare(line, $0) } ?? -1
                    if order >= 0 { theirs.removeFirst() }
                    if order <= 0 { mine.removeFirst() }
                    if order < 0, let start = line.baseAddress.map({ $0 - base }) {
                        missing.append(a[start..<start + line.count])
                    }
                }
                return missing
            }
        }
    }

    private static func sorted(_ bytes: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        var lines: [UnsafeRawBufferPointer] = []
        var isSorted = true
        var at = 0
        while at < bytes.count, let base = bytes.baseAddress {
            let found = memchr(base + at, 0x0a, bytes.count - at)
            let end = found.map { UnsafeRawPointer($0) - base } ?? bytes.count
            if end > at {
                let line = UnsafeRawBufferPointer(start: base + at, count: end - at)
                if let last = lines.last, compare(last, line) >= 0 { isSorted = false }
                lines.append(line)
            }
            at = end + 1
        }
        if isSorted { return lines }
        lines.sort { compare($0, $1) < 0 }
        var unique: [UnsafeRawBufferPointer] = []
        for line in lines where unique.last.map({ compare($0, line) != 0 }) ?? true { unique.append(line) }
        return unique
    }

    private static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        guard let x = a.baseAddress, let y = b.baseAddress else { return a.count - b.count }
        let order = memcmp(x, y, min(a.count, b.count))
        return order == 0 ? a.count - b.count : Int(order)
    }

    private static func append(_ line: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        out.append(contentsOf: line)
        out.append(0x0a)
    }
}
