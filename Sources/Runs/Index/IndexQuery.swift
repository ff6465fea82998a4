internal import Base
internal import GRDB
internal import GitKit

/// A query as SQL.
struct IndexQuery {
    private let query: RunQuery
    /// Runs that are known better from elsewhere.
    private let excluded: [RunKey]
    /// Whether the order is that of the history in the scope.
    private let isAlongHistory: Bool
    private let repository: Repository
    private let database: Database

    init(
        _ query: RunQuery, excluding excluded: [RunKey] = [], isAlongHistory: Bool = false, in repository: Repository,
        _ database: Database
    ) {
        self.query = query
        self.excluded = excluded
        self.isAlongHistory = isAlongHistory
        self.repository = repository
        self.database = database
    }

    func runs() throws -> [Run] {
        let reader = try RunReader(database)
        var runs: [Run] = []
        try rows { if let run = try reader.run($0) { runs.append(run) } }
        return runs
    }

    private func rows(_ body: (Int64) throws -> Void) throws {
        let nameID = try Self.names(database)
        let conditions = query.filter.map { Self.conjuncts($0.condition) } ?? []
        let driver = try IndexDriver.best(for: conditions, nameID, database)
        var filter = FilterSQL(nameID: nameID)
        var wheres = try conditions.indices.filter { $0 != driver?.conjunct }.map {
            try filter.expression(conditions[$0])
        }
        wheres.append("r.deleted = \(query.deleted ? 1 : 0)")
        if case .history(let tip) = query.scope {
            try IndexScope(repository, database).fill(from: tip)
            wheres.append(
                "(EXISTS(SELECT 1 FROM temp.scope s WHERE s.code = r.code AND s.snapshot <= r.dirty) OR EXISTS("
                    + "SELECT 1 FROM links l JOIN temp.scope s ON s.code = l.code WHERE l.run = r.id))")
        }
        if !excluded.isEmpty {
            wheres.append("r.run NOT IN (\(excluded.map { "x'\($0.text)'" }.joined(separator: ", ")))")
        }
        let from = driver.map { "\($0.sql) CROSS JOIN runs r ON r.id = d.run" } ?? "runs r"
        let statement = try IndexStatement(
            database,
            "SELECT r.id FROM \(from) WHERE \(wheres.joined(separator: " AND "))"
                + " ORDER BY \(isAlongHistory ? Self.place + ", " : "")\(try RunOrder(query.sort).sql(nameID)) LIMIT ? OFFSET ?"
        )
        let values =
            (driver?.values ?? []) + filter.values
            + [.int(query.limit.map { Int64($0) } ?? -1), .int(Int64(query.offset))]
        for (i, value) in values.enumerated() { statement.bind(Int32(i + 1), value) }
        while try statement.next() { try body(statement.int(0)) }
    }

    /// How far from the tip the newest commit is that holds the run's code, or is linked to it.
    private static let place = """
        min(
            coalesce((SELECT place FROM temp.scope WHERE code = r.code), 9e18),
            coalesce(
                (SELECT min(s.place) FROM links l JOIN temp.scope s ON s.code = l.code WHERE l.run = r.id), 9e18))
        """

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

/// The one condition of a filter that an index finds the runs of, so that not all runs must be looked at.
struct IndexDriver {
    let conjunct: Int
    /// A table `d` with a column `run`.
    let sql: String
    let values: [IndexValue]

    /// The condition with the fewest runs; nil when none can be looked up, or when none leaves many out.
    static func best(
        for conditions: [FilterCondition], _ nameID: (String) throws -> Int64?, _ database: Database
    ) throws -> IndexDriver? {
        let candidates = try conditions.enumerated().compactMap { try candidate($0.element, $0.offset, nameID) }
        guard candidates.count > 1 else { return candidates.first }
        // Counting goes along the index, some hundred thousand a second and more; the best one so far is the limit.
        var best: (driver: IndexDriver, count: Int64)?
        for driver in candidates {
            let limit = best?.count ?? 100_000
            let count = try IndexStatement(database, "SELECT count(*) FROM (SELECT 1 FROM \(driver.sql) LIMIT ?)")
            for (i, value) in (driver.values + [.int(limit)]).enumerated() { count.bind(Int32(i + 1), value) }
            let found = try count.next() ? count.int(0) : 0
            if best == nil || found < limit { best = (driver, found) }
        }
        return best?.driver
    }

    private static func candidate(
        _ condition: FilterCondition, _ place: Int, _ nameID: (String) throws -> Int64?
    ) throws -> IndexDriver? {
        let (table, key, comparison, value): (String, String, FilterComparison, IndexValue)
        switch condition {
        case .numbers(.value(let source), let given, let number):
            guard case .metric(let name) = source.operand, let literal = constant(number) else { return nil }
            (table, key, comparison, value) = ("metrics", name, given, .double(literal))
        case .texts(.value(let source), .equal, .literal(let text)):
            switch source.operand {
            case .param(let name): (table, key, comparison, value) = ("params", name, .equal, .text(text))
            case .tag(let name): (table, key, comparison, value) = ("tags", name, .equal, .text(text))
            default: return nil
            }
        default: return nil
        }
        guard comparison != .unequal, let id = try nameID(key) else { return nil }
        return IndexDriver(
            conjunct: place,
            sql: "(SELECT run FROM \(table) INDEXED BY \(table)_value"
                + " WHERE key = \(id) AND value \(comparison.rawValue) ?) d",
            values: [value])
    }

    private static func constant(_ number: FilterNumber) -> Double? {
        switch number {
        case .literal(let value): value
        case .negated(.literal(let value)): -value
        default: nil
        }
    }
}
