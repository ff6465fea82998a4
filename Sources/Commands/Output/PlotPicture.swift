internal import Base

/// A plot as a self-contained SVG: no script, no font, no file beside it.
struct PlotPicture {
    /// Okabe and Ito's colours, which people with any kind of colour vision can tell apart.
    static let colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444"]
    private static let width = 860.0
    private static let plotHeight = 340.0
    private static let top = 56.0
    private static let right = 28.0

    private let chart: PlotChart
    private let x: PlotAxis
    private let y: PlotAxis
    private let left: Double
    private let areTicksTilted: Bool

    init(_ chart: PlotChart) {
        self.chart = chart
        x = chart.xAxis(marks: chart.categories.isEmpty ? 8 : 24)
        y = chart.yAxis(marks: 6)
        left = 26 + 7 * Double(y.ticks.map(\.label.count).max() ?? 0)
        let room = (Self.width - left - Self.right) / Double(max(1, x.ticks.count))
        areTicksTilted = x.ticks.contains { Double($0.label.count) * 6.6 > room - 8 }
    }

    private var plotWidth: Double { Self.width - left - Self.right }
    private var bottom: Double { Self.top + Self.plotHeight }

    var svg: String {
        let entries = legend()
        let underAxis = areTicksTilted ? 96.0 : chart.xLabel.isEmpty ? 36 : 58
        let height = bottom + underAxis + (entries.last.map { $0.row + 1 } ?? 0) * 22 + 10
        var lines = [
            #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(Int(Self.width)) \#(Int(height))" "#
                + #"width="\#(Int(Self.width))" height="\#(Int(height))" role="img" "#
                + #"font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12">"#,
            "<title>\(Markup.escape(chart.title))</title>",
            ##"<rect width="100%" height="100%" fill="#ffffff"/>"##,
            text(chart.title, left, 32, ##"font-size="17" font-weight="600" fill="#1f2937""##),
        ]
        lines += grid() + chart.curves.indices.flatMap(curve)
        for entry in entries {
            let place = bottom + underAxis + 10 + entry.row * 22
            lines += [
                "<line x1=\"\(number(entry.x))\" x2=\"\(number(entry.x + 22))\" y1=\"\(number(place - 4))\""
                    + " y2=\"\(number(place - 4))\" \(stroke(entry.curve))/>",
                text(entry.name, entry.x + 29, place, ##"fill="#374151""##),
            ]
        }
        return (lines + ["</svg>", ""]).joined(separator: "\n")
    }

    private func grid() -> [String] {
        var lines: [String] = []
        for tick in y.ticks {
            guard let place = y.position(tick.value).map(vertical) else { continue }
            lines += [
                #"<line x1="\#(number(left))" x2="\#(number(left + plotWidth))" y1="\#(number(place))" "#
                    + ##"y2="\##(number(place))" stroke="#e5e7eb"/>"##,
                text(tick.label, left - 9, place + 4, ##"text-anchor="end" fill="#6b7280""##),
            ]
        }
        lines.append(
            #"<line x1="\#(number(left))" x2="\#(number(left + plotWidth))" y1="\#(number(bottom))" "#
                + ##"y2="\##(number(bottom))" stroke="#9ca3af"/>"##)
        for tick in x.ticks {
            guard let place = x.position(tick.value).map(horizontal) else { continue }
            lines.append(
                #"<line x1="\#(number(place))" x2="\#(number(place))" y1="\#(number(bottom))" "#
                    + ##"y2="\##(number(bottom + 5))" stroke="#9ca3af"/>"##)
            let label = areTicksTilted && tick.label.count > 18 ? tick.label.prefix(17) + "…" : tick.label[...]
            let turn = "text-anchor=\"end\" transform=\"rotate(-32 \(number(place)) \(number(bottom + 18)))\""
            lines.append(
                text(
                    String(label), place, bottom + (areTicksTilted ? 18 : 20),
                    (areTicksTilted ? turn : #"text-anchor="middle""#) + ##" fill="#6b7280""##))
        }
        if !chart.xLabel.isEmpty, !areTicksTilted {
            lines.append(
                text(chart.xLabel, left + plotWidth / 2, bottom + 44, ##"text-anchor="middle" fill="#374151""##))
        }
        return lines
    }

    /// A curve's lines, and its points where there are few.
    private func curve(_ index: Int) -> [String] {
        let curve = chart.curves[index]
        let stretches = PlotChart.stretches(of: curve, x, y)
        var path = ""
        for stretch in stretches where stretch.count > 1 {
            for (i, point) in thinned(stretch).enumerated() {
                path += (i == 0 ? "M" : "L") + number(horizontal(point.x)) + " " + number(vertical(point.y))
            }
        }
        let areRuns = !chart.categories.isEmpty
        var lines: [String] = []
        if !path.isEmpty {
            let thin = ##"stroke="#cbd5e1" stroke-width="1.5""##
            lines.append(
                "<path d=\"\(path)\" fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\" "
                    + "\(areRuns ? thin : stroke(index))><title>\(Markup.escape(curve.name))</title></path>")
        }
        var dots: [(x: Double, y: Double, title: String)] = []
        if areRuns || curve.points.count <= 40 {
            for point in curve.points {
                guard let a = x.position(point.x), let b = y.position(point.y) else { continue }
                let place = "\(chart.xLabel) \(RunTable.text(point.x))"
                let name = areRuns ? chart.categories[Int(point.x)] : "\(curve.name), \(place)"
                dots.append((a, b, "\(name): \(point.y)"))
            }
        } else {
            dots = stretches.filter { $0.count == 1 }.joined().map { ($0.x, $0.y, curve.name) }
        }
        for dot in dots {
            lines.append(
                "<circle cx=\"\(number(horizontal(dot.x)))\" cy=\"\(number(vertical(dot.y)))\" "
                    + "r=\"\(areRuns ? 5 : 3)\" fill=\"\(colour(index))\"><title>\(Markup.escape(dot.title))</title></circle>"
            )
        }
        return lines
    }

    /// First, lowest, highest and last point of each half pixel: looks the same and stays small.
    private func thinned(_ stretch: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        let bins = plotWidth * 2
        guard Double(stretch.count) > bins * 4 else { return stretch }
        var kept: [(x: Double, y: Double)] = []
        var start = 0
        while start < stretch.count {
            let bin = Int(stretch[start].x * bins)
            var end = start
            var (low, high) = (start, start)
            while end < stretch.count, Int(stretch[end].x * bins) == bin {
                if stretch[end].y < stretch[low].y { low = end }
                if stretch[end].y > stretch[high].y { high = end }
                end += 1
            }
            kept += Set([start, low, high, end - 1]).sorted().map { stretch[$0] }
            start = end
        }
        return kept
    }

    /// The names of the curves, in rows as wide as the picture.
    private func legend() -> [(curve: Int, name: String, x: Double, row: Double)] {
        guard chart.categories.isEmpty, chart.curves.count > 1 else { return [] }
        var (place, row) = (left, 0.0)
        return chart.curves.enumerated().map { i, curve in
            let name = curve.name.count > 40 ? curve.name.prefix(39) + "…" : curve.name[...]
            let width = 29 + Double(name.count) * 7 + 22
            if place > left, place + width > Self.width - Self.right { (place, row) = (left, row + 1) }
            defer { place += width }
            return (i, String(name), place, row)
        }
    }

    private func horizontal(_ position: Double) -> Double { left + position * plotWidth }
    private func vertical(_ position: Double) -> Double { bottom - position * Self.plotHeight }
    private func number(_ value: Double) -> String {
        value == value.rounded() ? String(Int(value)) : Decimal.format(value, digits: 1)
    }
    private func colour(_ curve: Int) -> String { Self.colours[curve % Self.colours.count] }

    /// Past the last colour, lines are dashed.
    private func stroke(_ curve: Int) -> String {
        let dashes = ["", #" stroke-dasharray="7 4""#, #" stroke-dasharray="2 4""#]
        return "stroke=\"\(colour(curve))\" stroke-width=\"2\"" + dashes[curve / Self.colours.count % dashes.count]
    }

    private func text(_ text: String, _ x: Double, _ y: Double, _ attributes: String) -> String {
        "<text x=\"\(number(x))\" y=\"\(number(y))\" \(attributes)>\(Markup.escape(text))</text>"
    }
}
