internal import Base
internal import Runs

/// A curve with so few points that a browser draws it at once.
enum CurveSampling {
    /// Leaves at most `count` points of a curve, in their order.
    ///
    /// Its first and last stay, and of each stretch between them the lowest and the highest, so that no peak is lost.
    /// Values that are no numbers count only where a stretch has nothing else.
    static func sample(_ points: [MetricPoint], count: Int) -> [MetricPoint] {
        guard points.count > max(count, 4), let first = points.first, let last = points.last else { return points }
        let stretches = max(1, (count - 2) / 2)
        let inner = points.count - 2
        var kept = [first]
        kept.reserveCapacity(2 * stretches + 2)
        for stretch in 0..<stretches {
            let range = (1 + inner * stretch / stretches)..<(1 + inner * (stretch + 1) / stretches)
            guard let (low, high) = extremes(points, range) else { continue }
            kept.append(points[min(low, high)])
            if low != high { kept.append(points[max(low, high)]) }
        }
        return kept + [last]
    }

    /// Where the lowest and the highest value of a stretch stand; nil for an empty one.
    private static func extremes(_ points: [MetricPoint], _ range: Range<Int>) -> (low: Int, high: Int)? {
        guard var low = range.first else { return nil }
        var high = low
        for i in range {
            let value = points[i].value
            if value.isNaN { continue }
            if points[low].value.isNaN || value < points[low].value { low = i }
            if points[high].value.isNaN || value > points[high].value { high = i }
        }
        return (low, high)
    }

    /// The columns that the page's charts read: steps, seconds since the run began, values (null for what is no number),
    /// and how many points there are in all.
    static func json(_ points: [MetricPoint], started: Timestamp, count: Int) -> JSON {
        let kept = sample(points, count: count)
        return [
            "steps": .array(kept.map { .int($0.step) }),
            "times": .array(kept.map { .number($0.time.seconds(since: started)) }),
            "values": .array(kept.map { $0.value.isFinite ? .number($0.value) : .null }),
            "count": .int(Int64(points.count)),
        ]
    }
}
