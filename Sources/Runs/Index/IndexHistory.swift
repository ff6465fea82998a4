internal import Base
internal import GRDB
internal import GitKit

/// The commits along one history as tables of the index: `history(place, oid)`, the newest commit at the lowest place.
///
/// They are kept, so that the next reader walks only what has changed since. Where the index cannot be written, and in
/// a shallow clone, whose history ends elsewhere after the next fetch, temporary tables of the same names stand before them.
struct IndexHistory {
    private let repository: Repository
    private let database: Database

    /// More new commits than this are not put in one by one.
    private static let limit = 10_000
    /// More commits that are gone are not looked at one by one.
    private static let goneLimit = 64

    init(_ repository: Repository, _ database: Database) {
        self.repository = repository
        self.database = database
    }

    /// Runs `body` while the tables show the history of a commit.
    func along<T>(_ tip: ObjectID, _ body: () throws -> T) throws -> T {
        if !repository.isShallow, try !hasTemporary() {
            // Another work tree may want another history in between.
            for _ in 0..<3 {
                do {
                    if let result = try reading({ try isUpToDate(tip) ? body() : nil }) { return result }
                    try database.inTransaction(.immediate) {
                        try update(to: tip, "main")
                        return .commit
                    }
                } catch let error as DatabaseError where error.isReadOnly {
                    break
                }
            }
        }
        try makeTemporary()
        if try repository.isShallow || !isUpToDate(tip) { try update(to: tip, "temp") }
        return try body()
    }

    private func reading<T>(_ body: () throws -> T) throws -> T {
        if database.isInsideTransaction { return try body() }
        var result: T?
        try database.inTransaction(.deferred) {
            result = try body()
            return .commit
        }
        guard let result else { throw DatabaseError(resultCode: .SQLITE_MISUSE) }
        return result
    }

    // MARK: - Temporary tables

    private func hasTemporary() throws -> Bool {
        try Int64.fetchOne(database, sql: "SELECT 1 FROM temp.sqlite_master WHERE name = 'history'") != nil
    }

    private func makeTemporary() throws {
        if try hasTemporary() { return }
        for table in IndexSchema.history(in: "temp") { try database.execute(sql: table) }
        try database.execute(
            sql: "INSERT INTO temp.bases SELECT * FROM main.bases; INSERT INTO temp.history_tip VALUES(NULL)")
        for index in IndexSchema.historyIndexes(in: "temp") { try database.execute(sql: index) }
    }

    // MARK: - Bringing up to date

    private func isUpToDate(_ tip: ObjectID) throws -> Bool {
        guard try self.tip() == tip else { return false }
        return try Int64.fetchOne(database, sql: "SELECT 1 FROM bases WHERE base IS NULL") == nil
    }

    private func tip() throws -> ObjectID? {
        try String.fetchOne(database, sql: "SELECT tip FROM history_tip").flatMap { ObjectID($0) }
    }

    private func update(to tip: ObjectID, _ schema: String) throws {
        try findBases()
        let old = try self.tip()
        if old == tip, !repository.isShallow { return }
        if try old.map({ try !advance(from: $0, to: tip) }) ?? true { try rebuild(tip, schema) }
        try database.execute(sql: "UPDATE history_tip SET tip = ?", arguments: [tip.hex])
    }

    /// Looks up what snapshots of changes that were not committed stand on.
    private func findBases() throws {
        let open = try IndexStatement(
            database, "SELECT b.code, c.oid FROM bases b JOIN commits c ON c.id = b.code WHERE b.base IS NULL")
        var found: [(code: Int64, base: ObjectID?)] = []
        while try open.next() {
            guard let snapshot = ObjectID(Hex.encode(open.bytes(1))) else { continue }
            found.append((open.int(0), try? repository.commit(snapshot).parents.first))
        }
        let update = try IndexStatement(database, "UPDATE bases SET base = ? WHERE code = ?")
        for (code, base) in found {
            // Empty: it stands on nothing, or is not here.
            update.bind(1, bytes: base.flatMap { Hex.decode($0.hex) } ?? [])
            update.bind(2, code)
            try update.run()
        }
    }

    private func rebuild(_ tip: ObjectID, _ schema: String) throws {
        // Filling first and sorting then is three times as fast.
        try database.execute(sql: "DROP INDEX \(schema).history_oid; DELETE FROM history")
        let insert = try IndexStatement(database, "INSERT INTO history VALUES(?, ?)")
        var place: Int64 = 0
        try repository.history(from: [tip]) { commit in
            try put(commit, at: place, insert)
            place += 1
            return true
        }
        for index in IndexSchema.historyIndexes(in: schema).prefix(1) { try database.execute(sql: index) }
    }

    /// Puts in what is new and takes out what is gone; false where all has to be read again.
    private func advance(from old: ObjectID, to tip: ObjectID) throws -> Bool {
        guard !repository.isShallow, try repository.header(old) != nil else { return false }
        var gone: [ObjectID] = []
        try repository.history(from: [old], hiding: [tip]) { commit in
            gone.append(commit)
            return gone.count <= Self.goneLimit
        }
        // Where clocks were wrong a walk may take for gone what is not.
        guard gone.count <= Self.goneLimit, try !gone.contains(where: { try repository.isAncestor($0, of: tip) })
        else { return false }
        var added: [ObjectID] = []
        try repository.history(from: [tip], hiding: [old]) { commit in
            added.append(commit)
            return added.count <= Self.limit
        }
        guard added.count <= Self.limit else { return false }
        let newest = try repository.commit(old).committer.time
        if try !added.allSatisfy({ try repository.commit($0).committer.time >= newest }) {
            // A merge has brought older commits: the order changes down to the oldest of them.
            var missing = Set(added)
            added = []
            try repository.history(from: [tip], order: .time) { commit in
                added.append(commit)
                missing.remove(commit)
                return !missing.isEmpty
            }
        }
        let delete = try IndexStatement(database, "DELETE FROM history WHERE oid = ?")
        for commit in gone {
            delete.bind(1, bytes: Hex.decode(commit.hex) ?? [])
            try delete.run()
        }
        let first = try Int64.fetchOne(database, sql: "SELECT min(place) FROM history") ?? 0
        let insert = try IndexStatement(database, "INSERT OR REPLACE INTO history VALUES(?, ?)")
        for (i, commit) in added.enumerated() { try put(commit, at: first - Int64(added.count - i), insert) }
        return true
    }

    private func put(_ commit: ObjectID, at place: Int64, _ insert: IndexStatement) throws {
        insert.bind(1, place)
        insert.bind(2, bytes: Hex.decode(commit.hex) ?? [])
        try insert.run()
    }
}

// MARK: - Reading

extension IndexHistory {
    /// Says in SQL that a run `r` belongs to the history: its code does, what its snapshot stands on, or a commit that is
    /// linked to it.
    static let holdsRun = """
        (EXISTS(SELECT 1 FROM commits c JOIN history h ON h.oid = c.oid WHERE c.id = r.code)
        OR (r.dirty AND EXISTS(SELECT 1 FROM bases b JOIN history h ON h.oid = b.base WHERE b.code = r.code))
        OR EXISTS(
            SELECT 1 FROM links l JOIN commits c ON c.id = l.code JOIN history h ON h.oid = c.oid WHERE l.run = r.id))
        """

    /// Calls `body` for the runs along a history, newest commit first; those of one commit latest first.
    ///
    /// `body` answers whether to go on.
    func each(from tip: ObjectID, _ body: (Int64) throws -> Bool) throws {
        try along(tip) {
            let commits = try IndexStatement(
                database,
                """
                SELECT c.id, h.oid FROM history h LEFT JOIN commits c ON c.oid = h.oid
                WHERE c.id IS NOT NULL OR EXISTS(SELECT 1 FROM bases b WHERE b.base = h.oid) ORDER BY h.place
                """)
            let runs = try IndexStatement(
                database,
                """
                SELECT r.id FROM runs r WHERE NOT r.deleted AND r.id IN (
                    SELECT id FROM runs WHERE code = ?1
                    UNION ALL SELECT run FROM links WHERE code = ?1
                    UNION ALL SELECT s.id FROM bases b JOIN runs s ON s.code = b.code WHERE b.base = ?2 AND s.dirty)
                ORDER BY \(RunOrder([]).sql { _ in nil })
                """)
            // A run that is linked to several commits stands at the newest.
            var seen: Set<Int64> = []
            while try commits.next() {
                runs.bind(1, commits.optionalInt(0))
                runs.bind(2, bytes: commits.bytes(1))
                while try runs.next() {
                    if seen.insert(runs.int(0)).inserted, try !body(runs.int(0)) { return runs.reset() }
                }
            }
        }
    }
}
