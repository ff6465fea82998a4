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
    /// A tight one ends with the data, else there is a little room on both sides, though never across zero.
    static func linear(_ values: [Double], marks: Int, isTight: Bool) -> PlotAxis {
        // Ends this far out would make the range itself infinite.
        let finite = values.lazy.filter(\.isFinite).map { min(8e307, max(-8e307, $0)) }
        var (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
        if high - low <= max(low.magnitude, high.magnitude) * 1e-12 {
            let room = low == 0 ? 1 : low.magnitude * 0.1
            (low, high) = (low - room, high + room)
        }
        let step = roundStep((high - low) / Double(max(1, marks)))
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

    /// An axis of powers of ten over all finite values above zero.
    static func logarithmic(_ values: [Double], marks: Int) -> PlotAxis {
        let shown = values.lazy.filter { $0.isFinite && $0 > 0 }
        let low = log10(shown.min() ?? 1).rounded(.down)
        let high = max(log10(shown.max() ?? 10).rounded(.up), low + 1)
        let every = max(1, ((high - low) / Double(max(1, marks))).rounded(.up))
        let factors: [Double] = high - low <= 2 ? [1, 2, 5] : [1]
        var ticks: [Tick] = []
        for exponent in stride(from: low, through: high, by: every) {
            for factor in factors where factor == 1 || exponent < high {
                let value = factor * pow(10, exponent)
                ticks.append(Tick(value: value, label: NumberFormat(largest: value, step: value).text(value)))
            }
        }
        return PlotAxis(from: low, to: high, ticks: ticks, isLogarithmic: true)
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
