/// What a plot shows, before it is known whether it becomes characters or a picture.
struct PlotChart {
    /// The values of one run.
    struct Curve {
        let name: String
        /// In the order of x; NaN and infinities are gaps.
        let points: [(x: Double, y: Double)]
    }

    let title: String
    let xLabel: String
    let curves: [Curve]
    /// Names for x = 0, 1, 2, …: the points stand for runs, not for steps.
    let categories: [String]
    let isLogY: Bool

    init(title: String, xLabel: String, curves: [Curve], categories: [String] = [], isLogY: Bool = false) {
        self.title = title
        self.xLabel = xLabel
        self.curves = curves
        self.categories = categories
        self.isLogY = isLogY
    }

    /// How many values have no place on the axes.
    var hiddenCount: Int {
        curves.reduce(0) { sum, curve in
            sum + curve.points.count { !$0.y.isFinite || (isLogY && $0.y <= 0) }
        }
    }

    func xAxis(marks: Int) -> PlotAxis {
        if !categories.isEmpty {
            let every = max(1, (categories.count + marks - 1) / marks)
            let ticks = stride(from: 0, to: categories.count, by: every).map {
                PlotAxis.Tick(value: Double($0), label: categories[$0])
            }
            return PlotAxis(from: -0.5, to: Double(categories.count) - 0.5, ticks: ticks)
        }
        let values = curves.flatMap { $0.points.map(\.x) }
        return .linear(
            values, marks: marks, isTight: true, isWhole: values.allSatisfy { $0.rounded() == $0 })
    }

    func yAxis(marks: Int) -> PlotAxis {
        let values = curves.flatMap { $0.points.map(\.y) }
        return isLogY ? .logarithmic(values, marks: marks) : .linear(values, marks: marks, isTight: false)
    }

    /// The stretches of a curve without gaps, in parts of the axes' lengths (0 left and bottom, 1 right and top).
    static func stretches(of curve: Curve, _ x: PlotAxis, _ y: PlotAxis) -> [[(x: Double, y: Double)]] {
        var stretches: [[(x: Double, y: Double)]] = [[]]
        for point in curve.points {
            if let a = x.position(point.x), let b = y.position(point.y) {
                stretches[stretches.count - 1].append((a, b))
            } else if stretches.last?.isEmpty == false {
                stretches.append([])
            }
        }
        return stretches.filter { !$0.isEmpty }
    }
}
