internal import Base
internal import GitKit
internal import Runs

/// What the table of experiments asks for: what stands in the page's address.
struct RunsRequest {
    /// The most rows that are sent at once.
    static let longest = 500
    /// The most columns of parameters, and of metrics, that are shown unasked.
    private static let width = 6

    let query: RunQuery
    /// Nil: those that matter for the first rows.
    let columns: [RunColumn]?

    init(_ arguments: [String: [String]]) throws {
        var query = RunQuery()
        if let filter = arguments["filter"]?.first, filter.contains(where: { !$0.isWhitespace }) {
            query.filter = try Filter(filter)
        }
        if let key = arguments["sort"]?.first, !key.isEmpty {
            query.sort = [RunQuery.SortKey(try RunColumn(key).name, isDescending: arguments["desc"]?.first == "1")]
        }
        query.offset = max(0, arguments["offset"]?.first.flatMap { Int($0) } ?? 0)
        query.limit = min(Self.longest, max(1, arguments["limit"]?.first.flatMap { Int($0) } ?? 100))
        self.query = query
        columns = try arguments["columns"]?.first.flatMap { $0.isEmpty ? nil : try RunColumn.list($0) }
    }

    /// The latest runs, so many of them.
    init(latest count: Int) {
        var query = RunQuery()
        query.limit = count
        (self.query, columns) = (query, nil)
    }

    /// A stretch of the rows, the columns, and how many rows there are in all.
    func json(_ store: RunStore, _ site: Site) throws -> JSON {
        let runs = try store.runs(query)
        let columns = columns ?? Self.standard(runs)
        return [
            "total": .int(Int64(try store.count(query))), "offset": .int(Int64(query.offset)),
            "columns": .array(
                columns.map { ["name": .string($0.name), "title": .string($0.title), "kind": .string($0.group)] }),
            "rows": .array(zip(runs, RunLabels.of(runs)).map { Self.row($0, $1, columns, site) }),
        ]
    }

    /// All of it in one, with the best values.
    func whole(_ store: RunStore, _ site: Site) throws -> JSON {
        let table = try json(store, site)
        let names = (table["columns"]?.array ?? []).compactMap { $0["name"]?.string }
        let best = try best(store, among: names.map { try RunColumn($0) })
        return .object((table.members ?? []) + [JSON.Member("best", best)])
    }

    private static func row(_ run: Run, _ label: String, _ columns: [RunColumn], _ site: Site) -> JSON {
        [
            "id": .string(run.id), "label": .string(label), "status": .string(run.status),
            "address": .string(site.address(.run(run.id))),
            "cells": .array(columns.map { cell($0, run) }),
        ]
    }

    /// A number where it is one that JSON can hold; everything else as people read it.
    private static func cell(_ column: RunColumn, _ run: Run) -> JSON {
        let value = column.value(of: run)
        switch column.kind {
        case .metric, .number:
            return value.double.map { $0.isFinite ? .number($0) : .string(Decimal.short($0)) } ?? .null
        case .time: return .optional(value.string.flatMap { Timestamp($0) }?.minutes)
        case .commit: return .string(run.commit.short)
        case .run: return .string(RunLabels.short(run.id))
        case .text: return .optional(value.string ?? (value == .null ? nil : value.description))
        }
    }

    /// When, who and how, the parameters that differ between some runs, and their metrics.
    private static func standard(_ runs: [Run]) -> [RunColumn] {
        let params = Set(runs.flatMap(\.params.keys)).sorted()
        let differing = params.filter { key in runs.count == 1 || Set(runs.map { $0.params[key] }).count > 1 }
        let metrics = Set(runs.flatMap(\.metrics.keys)).filter { !$0.hasPrefix("system/") }.sorted()
        return ["started", "user", "status"].compactMap { try? RunColumn($0) }
            + differing.prefix(width).map { .param($0) } + metrics.prefix(width).map { .metric($0) }
    }

    /// The best value of each metric among the columns, over all runs that the filter chooses.
    func best(_ store: RunStore) throws -> JSON { try best(store, among: columns ?? []) }

    private func best(_ store: RunStore, among columns: [RunColumn]) throws -> JSON {
        var best: [String: JSON] = [:]
        for column in columns where column.kind == .metric {
            var query = query
            query.offset = 0
            query.limit = 1
            let isLower = MetricDirection(wellKnown: column.key) == .lower
            query.sort = [RunQuery.SortKey(column.name, isDescending: !isLower)]
            if let value = try store.runs(query).first.flatMap({ column.value(of: $0).double }), value.isFinite {
                best[column.name] = .number(value)
            }
        }
        return .sorted(best)
    }
}

extension RunColumn {
    /// The heading: the metric, parameter or tag alone.
    fileprivate var title: String { key }

    /// What the page's list of columns sorts it under.
    var group: String {
        switch kind {
        case .metric: "metric"
        case .time: "time"
        case .number: "number"
        case .run, .commit: "code"
        case .text: name.hasPrefix("params.") ? "param" : name.hasPrefix("tags.") ? "tag" : "text"
        }
    }
}
