internal import Base

/// One axis of a plot: the range that it shows, and where its marks stand.
struct PlotAxis {
    struct Tick {
        let value: Double
        let label: String
    }

    /// The ends; on a logarithmic axis their decimal logarithms.
    private let low: Double
    private let high: Double
    private let isLogarithmic: Bool
    let ticks: [Tick]

    init(from low: Double, to high: Double, ticks: [Tick], isLogarithmic: Bool = false) {
        self.low = low
        self.high = high
        self.ticks = ticks
        self.isLogarithmic = isLogarithmic
    }

    /// Where a value stands: 0 at the low end, 1 at the high one; nil for what has no place on this axis.
    func position(_ value: Double) -> Double? {
        guard value.isFinite, !isLogarithmic || value > 0 else { return nil }
        let place = ((isLogarithmic ? log10(value) : value) - low) / (high - low)
        return min(1, max(0, place))
    }

    /// An axis with marks at round numbers (1, 2 or 5 times a power of ten) over all finite values.
    ///
    /// A tight one ends with the data, else there is a little room on both sides, though never across zero. One of whole
    /// numbers has marks at whole numbers only.
    static func linear(_ values: [Double], marks: Int, isTight: Bool, isWhole: Bool = false) -> PlotAxis {
        // Ends this far out would make the range itself infinite.
        let finite = values.lazy.filter(\.isFinite).map { min(8e307, max(-8e307, $0)) }
        var (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
        if high - low <= max(low.magnitude, high.magnitude) * 1e-12 {
            let room = low == 0 ? 1 : low.magnitude * 0.1
            (low, high) = (low - room, high + room)
        }
        let round = roundStep((high - low) / Double(max(1, marks)))
        let step = isWhole ? max(1, round) : round
        if !isTight {
            let room = (high - low) * 0.05
            (low, high) = (low >= 0 ? max(0, low - room) : low - room, high <= 0 ? min(0, high + room) : high + room)
        }
        let (first, last) = ((low / step - 1e-9).rounded(.up), (high / step + 1e-9).rounded(.down))
        let format = NumberFormat(largest: max(low.magnitude, high.magnitude), step: step)
        let ticks = stride(from: first, through: max(first, min(last, first + 50)), by: 1).map { i in
            Tick(value: i * step, label: format.text(i == 0 ? 0 : i * step))
        }
        return PlotAxis(from: low, to: high, ticks: ticks)
    }

    /// A logarithmic axis over all finite values above zero, with marks at powers of ten, and at 2 and 5 times those where
    /// there are few.
    static func logarithmic(_ values: [Double], marks: Int) -> PlotAxis {
        let shown = values.lazy.filter { $0.isFinite && $0 > 0 }
        let (least, most) = (shown.min() ?? 1, shown.max() ?? 10)
        let decades = (from: log10(least).rounded(.down), to: log10(most).rounded(.up))
        let isShort = decades.to - decades.from <= 2
        let every = max(1, ((decades.to - decades.from) / Double(max(1, marks))).rounded(.up))
        var values: [Double] = []
        for exponent in stride(from: decades.from, through: decades.to, by: isShort ? 1 : every) {
            values += (isShort ? [1, 2, 5] : [1]).map { $0 * pow(10, exponent) }
        }
        let low = values.last { $0 <= least * 1.0001 } ?? least
        let high = values.first { $0 >= most * 0.9999 && $0 > low } ?? max(most, low * 10)
        let ticks = values.filter { (low...high).contains($0) }.map {
            Tick(value: $0, label: NumberFormat(largest: $0, step: $0).text($0))
        }
        return PlotAxis(from: log10(low), to: log10(high), ticks: ticks, isLogarithmic: true)
    }

    /// The next of 1, 2, 5 times a power of ten.
    private static func roundStep(_ rough: Double) -> Double {
        let power = pow(10, log10(rough).rounded(.down))
        guard power > 0, power.isFinite else { return rough }
        return ([1, 2, 5].first { $0 * power >= rough * 0.999 } ?? 10) * power
    }
}

/// How the numbers at an axis are written: all with the same digits behind the point.
private struct NumberFormat {
    private var exponent = 0
    private var digits = 0

    init(largest: Double, step: Double) {
        let behindPoint = Int(-log10(step).rounded(.down) + 1e-9)
        let order = largest > 0 ? Int(log10(largest).rounded(.down)) : 0
        if (-4..<6).contains(order), behindPoint <= 6 {
            digits = max(0, behindPoint)
        } else {
            exponent = order
            digits = min(12, max(0, order + behindPoint))
        }
    }

    func text(_ value: Double) -> String {
        if exponent == 0 { return Decimal.format(value, digits: digits) }
        return value == 0 ? "0" : Decimal.format(value / pow(10, Double(exponent)), digits: digits) + "e\(exponent)"
    }
}
