internal import Base
internal import GRDB
internal import GitKit

/// A query as SQL.
struct IndexQuery {
    private let query: RunQuery
    private let repository: Repository
    private let database: Database

    init(_ query: RunQuery, index repository: Repository, _ database: Database) {
        self.query = query
        self.repository = repository
        self.database = database
    }

    func runs() throws -> [Run] {
        if case .history(let tip) = query.scope { try IndexScope(repository, database).fill(from: tip) }
        var sql = "SELECT r.id FROM runs r WHERE r.deleted = \(query.deleted ? 1 : 0)"
        if case .history = query.scope {
            sql += " AND (r.code IN (SELECT code FROM temp.scope)"
            sql += " OR r.id IN (SELECT l.run FROM links l JOIN temp.scope s ON s.code = l.code))"
        }
        sql += " ORDER BY r.started DESC, r.run DESC LIMIT ? OFFSET ?"
        let rows = try IndexStatement(database, sql)
        rows.bind(1, Int64(query.limit ?? -1))
        rows.bind(2, Int64(query.offset))
        let reader = try RunReader(database)
        var runs: [Run] = []
        while try rows.next() { if let run = try reader.run(rows.int(0)) { runs.append(run) } }
        return runs
    }
}
