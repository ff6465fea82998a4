internal import Base
internal import SystemPackage

/// A plot in characters, for the terminal.
///
/// Several curves without colour get a mark each, because braille dots look alike. Plain ASCII where the locale is not
/// UTF-8 or the terminal is dumb.
struct PlotTerminal {
    private static let colours = [34, 31, 32, 35, 33, 36]

    private let chart: PlotChart
    private let width: Int
    private let rows = 16
    private let isColoured: Bool
    private let isPlain: Bool
    private var areRuns: Bool { !chart.categories.isEmpty }
    private var isBraille: Bool { !isPlain && !areRuns && (isColoured || chart.curves.count == 1) }

    init(_ chart: PlotChart, width: Int = PlotTerminal.width(), isColoured: Bool, isPlain: Bool = Self.isPlain()) {
        self.chart = chart
        self.width = max(30, width)
        self.isColoured = isColoured
        self.isPlain = isPlain
    }

    /// The terminal's width in characters; 80 where standard output is none.
    static func width() -> Int {
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Whether only ASCII may be printed.
    static func isPlain() -> Bool {
        if environmentValue("TERM") == "dumb" { return true }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environmentValue($0) }.first ?? "C"
        let name = locale.lowercased()
        return !name.contains("utf-8") && !name.contains("utf8")
    }

    func lines() -> [String] {
        let y = chart.yAxis(marks: 5)
        let margin = y.ticks.map(\.label.count).max() ?? 0
        var canvas = PlotCanvas(columns: width - margin - 2, rows: rows, isBraille: isBraille)
        let x = chart.xAxis(marks: max(2, canvas.columns / 12))
        for (i, curve) in chart.curves.enumerated() {
            for stretch in PlotChart.stretches(of: curve, x, y) {
                if areRuns { stretch.forEach { canvas.draw($0, as: i) } } else { canvas.draw(stretch, as: i) }
            }
        }
        var labels: [Int: String] = [:]
        for tick in y.ticks { if let place = y.position(tick.value) { labels[canvas.row(place)] = tick.label } }
        let (mark, side, corner) = isPlain ? ("+", "|", "+") : ("┤", "│", "└")
        var lines = [Terminal.heading(Terminal.safe(chart.title))]
        for row in 0..<rows {
            let label = labels[row]
            let head = String(repeating: " ", count: margin - (label?.count ?? 0)) + (label ?? "")
            lines.append(
                "\(head) \(label == nil ? side : mark)\(canvas.line(row, colour: paint))".trimmingTrailingSpace)
        }
        let blank = String(repeating: " ", count: margin + 1)
        let (axis, names) = footer(x, canvas)
        lines += [blank + corner + axis, (blank + " " + names).trimmingTrailingSpace]
        return lines + legend(indent: blank)
    }

    /// The x axis and the labels below it.
    private func footer(_ x: PlotAxis, _ canvas: PlotCanvas) -> (axis: String, names: String) {
        var axis = Array(repeating: isPlain ? "-" : "─", count: canvas.columns)
        var names = Array(repeating: Character(" "), count: canvas.columns)
        var free = 0
        for tick in x.ticks {
            guard let column = x.position(tick.value).map(canvas.column) else { continue }
            let label = Array(Terminal.safe(tick.label).prefix(24))
            let start = min(max(0, column - label.count / 2), canvas.columns - label.count)
            guard start >= free else { continue }
            axis[column] = isPlain ? "+" : "┬"
            for (i, character) in label.enumerated() { names[start + i] = character }
            free = start + label.count + 2
        }
        return (axis.joined(), String(names))
    }

    private func legend(indent: String) -> [String] {
        var lines: [String] = []
        if !chart.xLabel.isEmpty {
            let space = max(0, (width - indent.count - chart.xLabel.count) / 2)
            lines.append(indent + String(repeating: " ", count: space) + Terminal.safe(chart.xLabel))
        }
        if !areRuns {
            lines += chart.curves.enumerated().map { i, curve in
                "\(indent) \(paint(PlotCanvas.mark(i, isBraille: isBraille), i)) \(Terminal.safe(curve.name))"
            }
        }
        if chart.hiddenCount > 0 { lines.append("\(indent) (\(chart.hiddenCount) values have no place here)") }
        return lines
    }

    private func paint(_ text: String, _ curve: Int) -> String {
        isColoured ? "\u{1b}[\(Self.colours[curve % Self.colours.count])m\(text)\u{1b}[0m" : text
    }
}
