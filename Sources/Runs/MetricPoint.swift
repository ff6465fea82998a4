public import Base

/// One value of a metric at one step.
public struct MetricPoint: Hashable, Sendable {
    public var step: Int64
    public var time: Timestamp
    public var value: Double

    public init(step: Int64, time: Timestamp, value: Double) {
        self.step = step
        self.time = time
        self.value = value
    }

    /// Whether all is the same to the last bit; NaN is then the same as NaN.
    func isIdentical(to other: MetricPoint) -> Bool {
        step == other.step && time == other.time && value.bitPattern == other.value.bitPattern
    }
}

/// What is known of one metric of a run without its curve.
public struct MetricSummary: Hashable, Sendable {
    /// The value at the highest step; of several there, the one logged last.
    public var last: Double
    public var step: Int64
    /// When the last value was logged; nil when nobody said.
    public var at: Timestamp?
    /// NaN counts only when there is nothing else.
    public var min: Double
    public var max: Double
    public var firstStep: Int64
    public var count: Int64

    public init(
        last: Double, step: Int64 = 0, at: Timestamp? = nil, min: Double, max: Double, firstStep: Int64 = 0,
        count: Int64 = 1
    ) {
        self.last = last
        self.step = step
        self.at = at
        self.min = min
        self.max = max
        self.firstStep = firstStep
        self.count = count
    }

    /// Sums a curve up; nil for one without points.
    public init?(_ points: [MetricPoint]) {
        guard var last = points.first else { return nil }
        var (low, high, first) = (Double.infinity, -Double.infinity, last.step)
        var isNumber = false
        for point in points {
            if (point.step, point.time) >= (last.step, last.time) { last = point }
            first = Swift.min(first, point.step)
            if point.value.isNaN { continue }
            isNumber = true
            low = Swift.min(low, point.value)
            high = Swift.max(high, point.value)
        }
        self.init(
            last: last.value, step: last.step, at: last.time, min: isNumber ? low : .nan, max: isNumber ? high : .nan,
            firstStep: first, count: Int64(points.count))
    }

    /// Reads what an event line holds.
    init?(_ json: JSON) {
        guard let last = json["last"]?.double else { return nil }
        self.init(
            last: last, step: json["step"]?.int ?? 0, at: json["at"]?.string.flatMap { Timestamp($0) },
            min: json["min"]?.double ?? last, max: json["max"]?.double ?? last,
            firstStep: json["first_step"]?.int ?? 0, count: json["count"]?.int ?? 1)
    }

    /// The form of event lines.
    var json: JSON {
        [
            "last": .number(last), "step": .int(step), "at": .optional(at?.description), "min": .number(min),
            "max": .number(max), "first_step": .int(firstStep), "count": .int(count),
        ]
    }
}
