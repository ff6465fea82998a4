internal import Base

/// Reads the lines that a script appends to `metrics.jsonl`: `{"step":1,"loss":0.3}`.
///
/// `step` and `time` (or `timestamp`: RFC 3339, or seconds since 1970) belong to the line; every other number is a metric,
/// true and false count as 1 and 0, nested keys become dotted, other values are passed over. A line without a step
/// takes the one after the last of that metric, a line without a time the one that `clock` gives for its place.
struct MetricLines {
    private(set) var series: [String: [MetricPoint]] = [:]
    /// Lines that could not be read.
    private(set) var broken = 0

    /// Takes in the bytes of a file; a last line without its end is still being written and is left out.
    ///
    /// `clock` gives the time at which the byte at an offset was there.
    mutating func add(_ bytes: [UInt8], clock: (Int) -> Timestamp) {
        var start = 0
        while let end = bytes[start...].firstIndex(of: 0x0a) {
            if end > start { add(Array(bytes[start..<end])) { clock(end) } }
            start = end + 1
        }
    }

    private mutating func add(_ line: [UInt8], time: () -> Timestamp) {
        guard let json = try? JSON.parse(line), let members = json.members else {
            if line.contains(where: { $0 > 0x20 }) { broken += 1 }
            return
        }
        let step = json["step"]?.int
        let time = Self.time(json["time"] ?? json["timestamp"]) ?? time()
        for member in members where !["step", "time", "timestamp"].contains(member.key) {
            add(member.value, key: member.key, step: step, time: time)
        }
    }

    private mutating func add(_ value: JSON, key: String, step: Int64?, time: Timestamp) {
        if let members = value.members {
            for member in members { add(member.value, key: "\(key).\(member.key)", step: step, time: time) }
        } else if let number = value.double ?? value.bool.map({ $0 ? 1 : 0 }) {
            let step = step ?? series[key]?.last.map { $0.step + 1 } ?? 0
            series[key, default: []].append(MetricPoint(step: step, time: time, value: number))
        }
    }

    private static func time(_ json: JSON?) -> Timestamp? {
        if let text = json?.string { return Timestamp(text) }
        guard let number = json?.double, number.isFinite, number > 0 else { return nil }
        // Seconds until the year 5138; milliseconds, as MLflow counts them, beyond.
        let seconds = number < 1e11 ? number : number / 1000
        return seconds < 1e11 ? Timestamp(microseconds: Int64((seconds * 1e6).rounded())) : nil
    }
}

/// When which part of a growing file was there: what the supervisor of a run noted down, one `offset microseconds` a line.
struct GrowthClock {
    private var marks: [(offset: Int, time: Timestamp)] = []
    private let fallback: Timestamp

    /// `fallback` is the time of what was never seen growing: the file's last change.
    init(_ text: String?, fallback: Timestamp) {
        self.fallback = fallback
        for line in (text ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let offset = Int(words[0]), let time = Int64(words[1]) else { continue }
            marks.append((offset, Timestamp(microseconds: time)))
        }
    }

    func time(of offset: Int) -> Timestamp {
        var (low, high) = (0, marks.count)
        while low < high {
            let middle = (low + high) / 2
            if marks[middle].offset > offset { high = middle } else { low = middle + 1 }
        }
        return low < marks.count ? marks[low].time : fallback
    }
}
