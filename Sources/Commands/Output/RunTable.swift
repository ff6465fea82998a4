internal import Base
internal import GitKit
internal import Runs

/// Runs side by side: parameters that differ, metrics, the best of each marked.
struct RunTable {
    /// What a person is looking at: all runs, or the commits along a history.
    enum Kind { case runs, log }

    private let runs: [Run]
    private let kind: Kind
    private let chosen: [RunColumn]?
    /// How deep a run stands below the runs that it is part of.
    private var depths: [String: Int] = [:]
    /// The most columns of parameters, and of metrics.
    private let limit = 8

    /// With `columns` only those are shown; `isNested` puts runs below the run that they are part of.
    init(_ runs: [Run], _ kind: Kind = .log, columns: [RunColumn]? = nil, isNested: Bool = false) {
        self.kind = kind
        chosen = columns
        if isNested {
            let nested = Self.nested(runs)
            self.runs = nested.map(\.run)
            depths = Dictionary(nested.map { ($0.run.id, $0.depth) }) { $1 }
        } else {
            self.runs = runs
        }
    }

    /// Children below their parents, otherwise in their order.
    private static func nested(_ runs: [Run]) -> [(run: Run, depth: Int)] {
        let ids = Set(runs.map(\.id))
        let children = Dictionary(grouping: runs.filter { $0.parent.map(ids.contains) ?? false }) { $0.parent ?? "" }
        var (result, seen): ([(run: Run, depth: Int)], Set<String>) = ([], [])
        func add(_ run: Run, _ depth: Int) {
            guard seen.insert(run.id).inserted else { return }
            result.append((run, depth))
            for child in children[run.id] ?? [] { add(child, depth + 1) }
        }
        for run in runs where run.parent.map({ !ids.contains($0) }) ?? true { add(run, 0) }
        for run in runs { add(run, 0) }  // a ring of parents is nobody's child
        return result
    }

    func table() -> Table {
        let columns = chosen.map { $0.map(Column.init) } ?? standard
        var best: [String: Double] = [:]
        for column in columns where column.value.kind == .metric { best[column.value.name] = self.best(column.value) }
        var table = Table(columns.map(\.title))
        for run in runs { table.add(columns.map { cell($0.value, run, best[$0.value.name]) }) }
        return table
    }

    private struct Column {
        let title: String
        let value: RunColumn

        init(_ title: String, _ value: RunColumn) {
            self.title = title
            self.value = value
        }

        init(_ value: RunColumn) { self.init(value.name, value) }
    }

    private var standard: [Column] {
        var names = [("COMMIT", "commit"), ("WHEN", "started"), ("WHO", "user")]
        if runs.contains(where: { $0.name != nil }) { names.insert(("NAME", "name"), at: kind == .runs ? 0 : 3) }
        if kind == .runs { names.insert(("RUN", "run"), at: 0) }
        if runs.contains(where: { $0.status != "finished" }) { names.append(("STATUS", "status")) }
        return names.compactMap { name in (try? RunColumn(name.1)).map { Column(name.0, $0) } }
            + differingParams.map { Column($0, .param($0)) } + metrics.map { Column($0, .metric($0)) }
    }

    private var differingParams: [String] {
        let keys = Set(runs.flatMap(\.params.keys)).sorted()
        if runs.count == 1 { return Array(keys.prefix(limit)) }
        return Array(keys.lazy.filter { key in Set(runs.map { $0.params[key] }).count > 1 }.prefix(limit))
    }

    private var metrics: [String] { Array(Set(runs.flatMap(\.metrics.keys)).sorted().prefix(limit)) }

    private func best(_ column: RunColumn) -> Double? {
        let values = runs.compactMap { column.value(of: $0).double }.filter { !$0.isNaN }
        guard runs.count > 1 else { return nil }
        return Self.isLowerBetter(column.key) ? values.min() : values.max()
    }

    private func cell(_ column: RunColumn, _ run: Run, _ best: Double?) -> String {
        let value = column.value(of: run)
        switch column.kind {
        case .run: return String(repeating: "  ", count: min(10, depths[run.id] ?? 0)) + String(run.id.prefix(idLength))
        // Along a history the commit that holds the results says more than the snapshot that they were made with.
        case .commit: return (kind == .log && run.dirty ? run.links.last ?? run.commit : run.commit).short
        case .time: return value.string.flatMap { Timestamp($0) }?.minutes ?? ""
        case .metric, .number:
            guard let number = value.double else { return "" }
            return Self.text(number) + (column.kind == .metric && number == best ? "*" : "")
        case .text: return value.string ?? (value == .null ? "" : value.description)
        }
    }

    /// So many digits that no two runs of the table begin alike; twelve tell the millisecond.
    private var idLength: Int {
        let sorted = runs.map(\.id).sorted()
        let shared = zip(sorted, sorted.dropFirst()).map { a, b in zip(a, b).prefix { $0 == $1 }.count }.max() ?? 0
        return max(12, shared + 1)
    }
}

// MARK: - Numbers

extension RunTable {
    /// A number with the digits that matter: four behind the point, none for whole numbers.
    static func text(_ value: Double) -> String { Decimal.short(value) }

    /// Whether less is better for a metric, judged by its name.
    static func isLowerBetter(_ metric: String) -> Bool {
        MetricDirection(wellKnown: metric) == .lower
    }
}
