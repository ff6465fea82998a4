internal import Base
internal import GRDB
internal import GitKit

/// A query as SQL.
struct IndexQuery {
    private let query: RunQuery
    /// Runs that are known better from elsewhere.
    private let excluded: [RunKey]
    private let repository: Repository
    private let database: Database

    init(_ query: RunQuery, excluding excluded: [RunKey] = [], in repository: Repository, _ database: Database) {
        self.query = query
        self.excluded = excluded
        self.repository = repository
        self.database = database
    }

    /// Calls `body` for each run, in the order that is asked for.
    func each(_ body: (Run) throws -> Void) throws {
        let reader = try RunReader(database)
        func read() throws { try rows { if let run = try reader.run($0) { try body(run) } } }
        guard case .history(let tip) = query.scope else { return try read() }
        try IndexHistory(repository, database).along(tip, read)
    }

    /// How many runs there are, whatever the limit.
    func count() throws -> Int {
        var count = 0
        func read() throws {
            try select("count(*)", order: "1", limit: -1, offset: 0) { count = Int($0) }
        }
        if case .history(let tip) = query.scope {
            try IndexHistory(repository, database).along(tip, read)
        } else {
            try read()
        }
        return count
    }

    private func rows(_ body: (Int64) throws -> Void) throws {
        try select(
            "r.id", order: RunOrder(query.sort).sql(Self.names(database)), limit: query.limit.map { Int64($0) } ?? -1,
            offset: Int64(query.offset), body)
    }

    private func select(
        _ value: String, order: String, limit: Int64, offset: Int64, _ body: (Int64) throws -> Void
    ) throws {
        let nameID = try Self.names(database)
        let conditions = query.filter.map { Self.conjuncts($0.condition) } ?? []
        let wantsLatest = query.sort.isEmpty && query.limit.map { $0 <= 1000 } ?? false
        let sets = try IndexSet.useful(for: conditions, wantsLatest: wantsLatest, nameID, database)
        let driver = sets.first
        var filter = FilterSQL(nameID: nameID)
        var wheres = try conditions.indices.filter { $0 != driver?.conjunct }.map { place in
            guard let set = sets.first(where: { $0.conjunct == place }) else {
                return try filter.expression(conditions[place])
            }
            return filter.member("d.run", of: set)
        }
        wheres.append("r.deleted = \(query.deleted ? 1 : 0)")
        if case .history = query.scope { wheres.append(IndexHistory.holdsRun) }
        if !excluded.isEmpty {
            wheres.append("r.run NOT IN (\(excluded.map { "x'\($0.text)'" }.joined(separator: ", ")))")
        }
        let from = driver.map { "(\($0.sql)) d CROSS JOIN runs r ON r.id = d.run" } ?? "runs r"
        let statement = try IndexStatement(
            database,
            "SELECT \(value) FROM \(from) WHERE \(wheres.joined(separator: " AND "))"
                + " ORDER BY \(order) LIMIT ? OFFSET ?")
        let values =
            (driver.map { [$0.value] } ?? []) + filter.values
            + [.int(limit), .int(offset)]
        for (i, value) in values.enumerated() { statement.bind(Int32(i + 1), value) }
        while try statement.next() { try body(statement.int(0)) }
    }

    static func names(_ database: Database) throws -> (String) throws -> Int64? {
        let find = try IndexStatement(database, "SELECT id FROM names WHERE name = ?")
        return { name in
            find.bind(1, name)
            defer { find.reset() }
            return try find.next() ? find.int(0) : nil
        }
    }

    /// The parts of which all must hold.
    private static func conjuncts(_ condition: FilterCondition) -> [FilterCondition] {
        if case .and(let conditions) = condition { return conditions.flatMap(conjuncts) }
        return [condition]
    }
}
