internal import Base
internal import GitKit
internal import Runs

/// Runs side by side: parameters that differ, metrics, the best of each marked.
struct RunTable {
    private let runs: [Run]
    /// The most columns of parameters, and of metrics.
    private let limit = 8

    init(_ runs: [Run]) { self.runs = runs }

    /// A number with the digits that matter: four behind the point, none for whole numbers.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "inf" : "-inf" }
        if value == value.rounded(), value.magnitude < 1e15 { return String(Int64(value)) }
        return value.magnitude < 0.0001 || value.magnitude >= 1e9 ? "\(value)" : Decimal.format(value, digits: 4)
    }

    /// Whether less is better for a metric, judged by its name.
    static func isLowerBetter(_ metric: String) -> Bool {
        let name = metric.lowercased()
        return ["loss", "error", "rmse", "mse", "mae", "mape", "perplexity", "latency", "seconds", "brier"]
            .contains { name.contains($0) }
    }

    private var differingParams: [String] {
        let keys = Set(runs.flatMap(\.params.keys)).sorted()
        if runs.count == 1 { return Array(keys.prefix(limit)) }
        return Array(keys.filter { key in Set(runs.map { $0.params[key] }).count > 1 }.prefix(limit))
    }

    private var metrics: [String] { Array(Set(runs.flatMap(\.metrics.keys)).sorted().prefix(limit)) }

    private func best(_ metric: String) -> Double? {
        let values = runs.compactMap { $0.values[metric] }.filter { !$0.isNaN }
        guard runs.count > 1 else { return nil }
        return Self.isLowerBetter(metric) ? values.min() : values.max()
    }

    func table() -> Table {
        let (params, metrics) = (differingParams, metrics)
        var best: [String: Double] = [:]
        for metric in metrics { best[metric] = self.best(metric) }
        var table = Table(["COMMIT", "WHEN", "WHO"] + params + metrics)
        for run in runs {
            let values = metrics.map { metric -> String in
                guard let value = run.values[metric] else { return "" }
                return Self.text(value) + (value == best[metric] ? "*" : "")
            }
            table.add(
                [run.commit.short, run.started.minutes, run.user ?? ""] + params.map { run.params[$0] ?? "" } + values)
        }
        return table
    }
}
