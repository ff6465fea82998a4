internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs
internal import SystemPackage

struct Plot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plot a metric of one or several runs",
        discussion: """
            Curves over the steps, in the terminal or as a file. Where no run has more than one value of the metric, a point
            a run. Without RUN: the latest runs along the history of HEAD that have the metric.

              $ git ml plot loss gbm-3 gbm-4
              $ git ml plot loss best:metrics.auc HEAD --log-y --x time
              $ git ml plot auc --svg auc.svg --html auc.html
            """)

    enum XAxis: String, ExpressibleByArgument, CaseIterable { case step, time }

    @Argument(help: "The metric, such as auc or system/cpu_utilization_percentage.")
    var metric: String

    @Argument(help: "Runs: an id's beginning, a name, a commit, best:metrics.KEY.")
    var runs: [String] = []

    @Option(help: ArgumentHelp("Write an SVG picture; - prints it.", valueName: "file"))
    var svg: String?

    @Option(help: ArgumentHelp("Write a page with the picture and a table; - prints it.", valueName: "file"))
    var html: String?

    @Flag(help: "A logarithmic y axis.")
    var logY = false

    @Option(help: "What x is: the step, or the time since the run began.")
    var x = XAxis.step

    @OptionGroup var json: JSONOption

    func run() async throws {
        let plotted = try await curves(RunStore.current())
        if json.isOn {
            for curve in plotted { print(curve.json(metric)) }
            return
        }
        let chart = chart(plotted)
        if svg == nil, html == nil {
            for line in PlotTerminal(chart, isColoured: Terminal.colourOutput).lines() { print(line) }
            return
        }
        let picture = PlotPicture(chart).svg
        if let svg { try write(picture, to: svg) }
        if let html {
            let labels = RunLabels.of(plotted.map(\.run))
            let rows = zip(labels, plotted).compactMap { label, curve in
                (curve.run.metrics[metric] ?? MetricSummary(curve.points)).map { (label, curve.run, $0) }
            }
            try write(PlotPage(title: metric, picture: picture, rows: rows).html, to: html)
        }
    }

    private func write(_ text: String, to file: String) throws {
        if file == "-" { return print(text, terminator: "") }
        try Files.replace(FilePath(file), with: text.utf8)
        print("wrote \(Terminal.safe(file))")
    }

    /// A run's values of the metric.
    private struct Plotted {
        let run: Run
        let points: [MetricPoint]

        func json(_ metric: String) -> JSON {
            [
                "run": .string(run.id), "name": .optional(run.name), "metric": .string(metric),
                "steps": .array(points.map { .int($0.step) }),
                "times": .array(points.map { .string($0.time.description) }),
                "values": .array(points.map { .number($0.value) }),
            ]
        }
    }

    private func curves(_ store: RunStore) async throws -> [Plotted] {
        if runs.isEmpty {
            var query = RunQuery()
            query.scope = try .history(store.repository.resolve("HEAD"))
            query.limit = 20
            var found: [Plotted] = []
            for run in try store.runs(query) {
                if let curve = try await curve(run, store) { found.append(curve) }
            }
            guard !found.isEmpty else { throw NoMetric(metric: metric, runs: "the latest runs", known: []) }
            return found
        }
        var found: [Plotted] = []
        for name in runs {
            let run = try RunSelection(store: store).run(name)
            if found.contains(where: { $0.run.id == run.id }) { continue }
            guard let curve = try await curve(run, store) else {
                throw NoMetric(metric: metric, runs: "the run \(RunLabels.of(run))", known: run.metrics.keys.sorted())
            }
            found.append(curve)
        }
        return found
    }

    private func curve(_ run: Run, _ store: RunStore) async throws -> Plotted? {
        // Reading a curve may have to bring content: not for runs that have none of it.
        if let summary = run.metrics[metric], summary.count <= 1 {
            let time = summary.at ?? run.started
            return Plotted(run: run, points: [MetricPoint(step: summary.step, time: time, value: summary.last)])
        }
        guard run.metrics[metric] != nil || !run.series.isEmpty else { return nil }
        let points = try await store.series(of: run)[metric] ?? []
        return points.isEmpty ? nil : Plotted(run: run, points: points)
    }

    private func chart(_ plotted: [Plotted]) -> PlotChart {
        if plotted.count > 1, plotted.allSatisfy({ $0.points.count == 1 }) {
            let ordered = plotted.sorted { ($0.run.started, $0.run.id) < ($1.run.started, $1.run.id) }
            let points = ordered.enumerated().map { (x: Double($0), y: $1.points[0].value) }
            return PlotChart(
                title: metric, xLabel: "", curves: [PlotChart.Curve(name: metric, points: points)],
                categories: RunLabels.of(ordered.map(\.run)), isLogY: logY)
        }
        let (unit, seconds) = timeUnit(plotted)
        let curves = zip(RunLabels.of(plotted.map(\.run)), plotted).map { label, curve in
            let points = curve.points.map { point in
                (
                    x: x == .step ? Double(point.step) : point.time.seconds(since: curve.run.started) / seconds,
                    y: point.value
                )
            }
            return PlotChart.Curve(name: label, points: points.sorted { $0.x < $1.x })
        }
        return PlotChart(title: metric, xLabel: x == .step ? "step" : unit, curves: curves, isLogY: logY)
    }

    /// The unit in which the longest run has a handsome number of marks.
    private func timeUnit(_ plotted: [Plotted]) -> (name: String, seconds: Double) {
        let longest = plotted.flatMap { curve in curve.points.map { $0.time.seconds(since: curve.run.started) } }.max()
        return switch longest ?? 0 {
        case ..<180: ("seconds", 1)
        case ..<10_800: ("minutes", 60)
        case ..<259_200: ("hours", 3600)
        default: ("days", 86_400)
        }
    }
}

/// A metric that a run does not have.
struct NoMetric: Failure {
    let metric: String
    let runs: String
    let known: [String]

    var kind: FailureKind { .notFound }
    var description: String { Terminal.safe("\(runs) has no metric “\(metric)”") }
    var hints: [String] {
        known.isEmpty
            ? ["`git ml runs` lists runs and their metrics"]
            : [Terminal.safe("it has " + known.prefix(10).joined(separator: ", ") + (known.count > 10 ? ", …" : ""))]
    }
}
