public import Base

/// Why bytes are not a file of series.
public struct SeriesFailure: Failure, Equatable {
    public let reason: String
    public var kind: FailureKind { .corrupt }
    public var description: String { "the series cannot be read: \(reason)" }
}

/// The curves of a run as one piece of content.
///
/// No common format stores several short curves as compactly and without a library, hence one of our own: the text
/// `git-ml-series 1` and a line feed, then one section a key, in the order of the keys' bytes. A section is: length of
/// the key, the key, number of points, then three columns: all steps, all times (microseconds since 1970), all values.
/// Numbers are LEB128 varints. Steps and times are differences to the one before, zigzag-coded; values are the bits of
/// the IEEE 754 double, byte-swapped after an exclusive or with the one before, so that equal values take one byte.
public enum SeriesFile {
    private static let magic = Array("git-ml-series 1\n".utf8)

    public static func encode(_ series: [String: [MetricPoint]]) -> [UInt8] {
        var out = magic
        for (key, points) in series.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            put(UInt64(key.utf8.count), to: &out)
            out += key.utf8
            put(UInt64(points.count), to: &out)
            deltas(points.lazy.map(\.step), to: &out)
            deltas(points.lazy.map(\.time.microseconds), to: &out)
            var before: UInt64 = 0
            for point in points {
                put((point.value.bitPattern ^ before).byteSwapped, to: &out)
                before = point.value.bitPattern
            }
        }
        return out
    }

    public static func decode(_ bytes: [UInt8]) throws(SeriesFailure) -> [String: [MetricPoint]] {
        guard bytes.starts(with: magic) else { throw SeriesFailure(reason: "it does not begin with git-ml-series 1") }
        var reader = Reader(bytes: bytes, at: magic.count)
        var series: [String: [MetricPoint]] = [:]
        while reader.at < bytes.count {
            let key = try reader.text()
            let count = try reader.count()
            let steps = try reader.deltas(count)
            let times = try reader.deltas(count)
            var points: [MetricPoint] = []
            points.reserveCapacity(count)
            var before: UInt64 = 0
            for i in 0..<count {
                before ^= try reader.number().byteSwapped
                points.append(
                    MetricPoint(
                        step: steps[i], time: Timestamp(microseconds: times[i]), value: Double(bitPattern: before)))
            }
            series[key] = points
        }
        return series
    }

    private static func deltas(_ values: some Sequence<Int64>, to out: inout [UInt8]) {
        var before: Int64 = 0
        for value in values {
            let delta = value &- before
            put(UInt64(bitPattern: (delta << 1) ^ (delta >> 63)), to: &out)
            before = value
        }
    }

    private static func put(_ value: UInt64, to out: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(rest))
    }

    private struct Reader {
        let bytes: [UInt8]
        var at: Int

        mutating func number() throws(SeriesFailure) -> UInt64 {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 64, by: 7) {
                guard at < bytes.count else { throw SeriesFailure(reason: "it ends early") }
                let byte = bytes[at]
                at += 1
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return value }
            }
            throw SeriesFailure(reason: "a number is too long")
        }

        /// A number of things that take at least a byte each.
        mutating func count() throws(SeriesFailure) -> Int {
            let value = try number()
            guard value <= UInt64(bytes.count - at) else { throw SeriesFailure(reason: "it ends early") }
            return Int(value)
        }

        mutating func text() throws(SeriesFailure) -> String {
            let length = try count()
            defer { at += length }
            guard let text = String(validating: bytes[at..<at + length], as: UTF8.self) else {
                throw SeriesFailure(reason: "a key is not UTF-8")
            }
            return text
        }

        mutating func deltas(_ count: Int) throws(SeriesFailure) -> [Int64] {
            var values: [Int64] = []
            values.reserveCapacity(count)
            var before: Int64 = 0
            for _ in 0..<count {
                let coded = try number()
                before &+= Int64(bitPattern: coded >> 1) ^ -Int64(bitPattern: coded & 1)
                values.append(before)
            }
            return values
        }
    }
}
