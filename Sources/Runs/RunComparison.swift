public import Base
internal import GitKit

/// Runs side by side: rows of code, parameters, metrics, files and environment, a cell a run.
public struct RunComparison {
    public struct Row {
        public let kind: String
        public let key: String
        /// Empty where a run has none of it.
        public let cells: [String]
        public let values: [JSON]
        /// The runs that have the best value of a metric, when not all have it.
        public internal(set) var best: Set<Int> = []

        public var isEqual: Bool { Set(values).count <= 1 }
    }

    public let runs: [Run]

    public init(runs: [Run]) { self.runs = runs }

    /// The rows that differ; `all` gives the equal ones too.
    public func rows(all: Bool = false) -> [Row] {
        let rows = [code] + params + metrics + files + environment
        return all ? rows : rows.filter { !$0.isEqual }
    }

    private var code: Row {
        Row(
            kind: "code", key: "commit", cells: runs.map { $0.commit.short + ($0.dirty ? "+" : "") },
            values: runs.map { .string($0.commit.hex) })
    }

    private var params: [Row] {
        keys { $0.params.keys }.map { key in
            let values = runs.map { $0.params[key] }
            return Row(
                kind: "param", key: key, cells: values.map { $0 ?? "" }, values: values.map { .optional($0) })
        }
    }

    private var metrics: [Row] {
        keys { $0.metrics.keys }.map { key in
            let values = runs.map { $0.values[key] }
            var row = Row(
                kind: "metric", key: key, cells: values.map { $0.map(Decimal.short) ?? "" },
                values: values.map { $0.map { .number($0) } ?? .null })
            let numbers = values.compactMap(\.self).filter { !$0.isNaN }
            if let best = MetricDirection(wellKnown: key) == .lower ? numbers.min() : numbers.max(), numbers.count > 1,
                !row.isEqual
            {
                row.best = Set(values.indices.filter { values[$0] == best })
            }
            return row
        }
    }

    /// Data, models, plots and the like; not the logs, which differ with every run.
    private var files: [Row] {
        let items = runs.map { run in
            Dictionary((run.inputs + run.outputs).filter { $0.role != .log }.map { ($0.path, $0) }) { $1 }
        }
        return Set(items.flatMap(\.keys)).sorted().map { path in
            let found = items.map { $0[path] }
            return Row(
                kind: found.lazy.compactMap(\.self).first?.role.rawValue ?? "", key: path,
                cells: found.map { $0.map { "\($0.digest.short) \(ByteCount.format($0.size))" } ?? "" },
                values: found.map { .optional($0?.digest.description) })
        }
    }

    private var environment: [Row] {
        keys { $0.environment.members?.map(\.key) ?? [] }.map { key in
            let values = runs.map { $0.environment[key] ?? .null }
            return Row(kind: "environment", key: key, cells: values.map(Environment.text), values: values)
        }
    }

    private func keys(_ of: (Run) -> some Sequence<String>) -> [String] { Set(runs.flatMap(of)).sorted() }
}
