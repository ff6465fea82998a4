internal import Base
internal import Runs

extension MLflowAPI {
    static let metricEndpoints: [String: Endpoint] = [
        "GET metrics/get-history": { try await $0.history($1) },
        "GET metrics/get-history-bulk": { try await $0.bulkHistory($1) },
        "GET metrics/get-history-bulk-interval": { try await $0.sampledHistory($1) },
    ]

    /// The points of a metric by time, as MLflow orders them; none where there is no such run or metric.
    private func points(_ run: String, _ key: String) async throws -> [MetricPoint] {
        guard let run = try? ledger.run(run) else { return [] }
        var points = try await ledger.series(of: run)[key] ?? []
        // One value has no curve in the notes.
        if points.isEmpty, let only = run.metrics[key] {
            points = [MetricPoint(step: only.step, time: only.at ?? run.started, value: only.last)]
        }
        var seen: Set<MetricKey> = []
        return points.filter { seen.insert(MetricKey($0)).inserted }.sorted {
            ($0.time, $0.step) < ($1.time, $1.step)
        }
    }

    /// A point that is sent twice is one.
    private struct MetricKey: Hashable {
        let step: Int64
        let time: Timestamp
        let bits: UInt64
        init(_ point: MetricPoint) { (step, time, bits) = (point.step, point.time, point.value.bitPattern) }
    }

    private static func json(_ key: String, _ point: MetricPoint, run: String?) -> JSON {
        .present([
            ("key", .string(key)), ("value", .metric(point.value)), ("timestamp", .int(point.time.milliseconds)),
            ("step", .int(point.step)), ("run_id", run.map { .string($0) }),
        ])
    }

    private func history(_ call: Call) async throws -> Answer {
        let key = try call.required("metric_key")
        let points = try await points(call.run(), key)
        guard let limit = try call.int("max_results") else {
            return .json(points.isEmpty ? [:] : ["metrics": .array(points.map { Self.json(key, $0, run: nil) })])
        }
        guard limit > 0 else {
            throw MLflowFailure.invalid(
                "Invalid value \(limit) for parameter 'max_results' supplied. It must be a positive integer.")
        }
        let offset = try PageToken.offset(call.text("page_token"))
        let (size, more) = Int(clamping: limit).addingReportingOverflow(1)
        let page = Page(
            Array(points.dropFirst(offset).prefix(more ? .max : size)), limit: Int(clamping: limit), offset: offset)
        return .json(page.json("metrics") { Self.json(key, $0, run: nil) })
    }

    private func bulkHistory(_ call: Call) async throws -> Answer {
        let ids = try call.texts("run_id")
        guard !ids.isEmpty else {
            throw MLflowFailure.invalid("GetMetricHistoryBulk request must specify at least one run_id.")
        }
        guard ids.count <= 100 else {
            throw MLflowFailure.invalid(
                "GetMetricHistoryBulk request cannot specify more than 100 run_ids. Received \(ids.count) run_ids.")
        }
        guard let key = try call.text("metric_key") else {
            throw MLflowFailure.invalid("GetMetricHistoryBulk request must specify a metric_key.")
        }
        let limit = Int(clamping: min(25_000, try call.int("max_results") ?? 25_000))
        var metrics: [JSON] = []
        for id in ids.sorted() {
            metrics += try await points(id, key).prefix(max(0, limit - metrics.count)).map {
                Self.json(key, $0, run: id)
            }
        }
        return .json(["metrics": .array(metrics)])
    }

    private func sampledHistory(_ call: Call) async throws -> Answer {
        let ids = try call.texts("run_ids")
        guard !ids.isEmpty else { throw Call.missing("run_ids") }
        guard ids.count <= 100 else {
            throw MLflowFailure.invalid(
                "GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received \(ids.count) run_ids."
                    + Call.advice)
        }
        let key = try call.required("metric_key")
        let (start, end) = (try call.int("start_step"), try call.int("end_step"))
        guard (start == nil) == (end == nil) else {
            throw MLflowFailure.invalid(
                "If either start step or end step are specified, both must be specified.")
        }
        if let start, let end, start > end {
            throw MLflowFailure.invalid(
                "end_step must be greater than start_step. Found start_step=\(start) and end_step=\(end).")
        }
        let limit = try call.int("max_results") ?? 2500
        guard (1...2500).contains(limit) else {
            throw MLflowFailure.invalid("max_results must be between 1 and 2500." + Call.advice)
        }
        var curves: [(id: String, points: [MetricPoint])] = []
        for id in ids {
            let points = try await points(id, key).filter { point in
                (start.map { point.step >= $0 } ?? true) && (end.map { point.step <= $0 } ?? true)
            }
            curves.append((id, points))
        }
        // The ends of each curve are always there, and the same steps of all of them.
        let bounds = Set(curves.flatMap { curve in [curve.points.map(\.step).min(), curve.points.map(\.step).max()] })
        let steps = Self.sample(Set(curves.flatMap { $0.points.map(\.step) }).sorted(), Int(limit))
            .union(bounds.compactMap { $0 })
        let metrics = curves.flatMap { curve in
            curve.points.filter { steps.contains($0.step) }.sorted { ($0.step, $0.time) < ($1.step, $1.time) }.map {
                Self.json(key, $0, run: curve.id)
            }
        }
        return .json(metrics.isEmpty ? [:] : ["metrics": .array(metrics)])
    }

    /// So many of the steps at most, evenly.
    private static func sample(_ steps: [Int64], _ limit: Int) -> Set<Int64> {
        guard steps.count > limit else { return Set(steps) }
        return Set((0..<limit).map { steps[$0 * steps.count / limit] })
    }
}
