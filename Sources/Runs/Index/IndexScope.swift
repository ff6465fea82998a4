internal import Base
internal import GRDB
internal import GitKit

/// The commits along a history, as a temporary table: those that runs name, and how far each is from its tip.
struct IndexScope {
    private let repository: Repository
    private let database: Database

    init(_ repository: Repository, _ database: Database) {
        self.repository = repository
        self.database = database
    }

    /// Fills `temp.scope(code, place, snapshot)`.
    ///
    /// A snapshot of changes that were not committed stands where its parent stands, for runs with such changes: it is in no
    /// history itself.
    func fill(from tip: ObjectID) throws {
        try database.execute(
            sql: """
                CREATE TEMP TABLE IF NOT EXISTS scope(
                    code INTEGER PRIMARY KEY, place INTEGER NOT NULL, snapshot INTEGER NOT NULL);
                DELETE FROM temp.scope;
                """)
        var places: [ObjectID: Int64] = [:]
        try repository.history(from: [tip]) { commit in
            places[commit] = Int64(places.count)
            return true
        }
        let insert = try IndexStatement(database, "INSERT OR IGNORE INTO temp.scope VALUES(?, ?, ?)")
        let commits = try IndexStatement(
            database,
            """
            SELECT id, oid, base, EXISTS(SELECT 1 FROM runs r INDEXED BY runs_dirty WHERE r.code = c.id AND r.dirty)
            FROM commits c
            """)
        var bases: [(id: Int64, base: ObjectID)] = []
        while try commits.next() {
            guard let commit = ObjectID(Hex.encode(commits.bytes(1))) else { continue }
            var place = places[commit]
            if place == nil, commits.int(3) != 0 {
                var base = ObjectID(Hex.encode(commits.bytes(2)))
                if base == nil, let found = try? repository.commit(commit).parents.first {
                    bases.append((commits.int(0), found))
                    base = found
                }
                place = base.flatMap { places[$0] }
            }
            guard let place else { continue }
            insert.bind(1, commits.int(0))
            insert.bind(2, place)
            insert.bind(3, places[commit] == nil)
            try insert.run()
        }
        if !bases.isEmpty { try? remember(bases) }
    }

    /// Keeps what snapshots stand on, so that they need not be read again; where nothing can be written, they are.
    private func remember(_ bases: [(id: Int64, base: ObjectID)]) throws {
        try database.inTransaction(.immediate) {
            let update = try IndexStatement(database, "UPDATE commits SET base = ? WHERE id = ?")
            for (id, base) in bases {
                update.bind(1, bytes: Hex.decode(base.hex) ?? [])
                update.bind(2, id)
                try update.run()
            }
            return .commit
        }
    }
}
