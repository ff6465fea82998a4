internal import Base
internal import GRDB
internal import GitKit

/// Finds runs by what names them.
struct IndexLookup {
    private let database: Database
    private let reader: RunReader

    init(_ database: Database) throws {
        self.database = database
        reader = try RunReader(database)
    }

    func run(_ key: RunKey) throws -> Run? {
        try runs("SELECT id FROM runs WHERE run = ?", .bytes(key.bytes)).first
    }

    func runs(called name: String) throws -> [Run] {
        try runs("SELECT id FROM runs WHERE name = ? AND NOT deleted LIMIT 100", .text(name))
    }

    /// By the first digits of the id.
    func runs(startingWith prefix: String, limit: Int64) throws -> [Run] {
        func bound(_ digit: Character) -> [UInt8] {
            Hex.decode(prefix + String(repeating: digit, count: max(0, 32 - prefix.count))) ?? []
        }
        return try runs(
            "SELECT id FROM runs WHERE run BETWEEN ? AND ? ORDER BY run LIMIT ?", .bytes(bound("0")),
            .bytes(bound("f")), .int(limit))
    }

    /// By the commit that is the code, or is linked.
    func runs(at commit: ObjectID) throws -> [Run] {
        try runs(
            """
            SELECT r.id FROM commits c JOIN runs r ON r.code = c.id WHERE c.oid = ?1
            UNION SELECT l.run FROM commits c JOIN links l ON l.code = c.id WHERE c.oid = ?1
            """, .bytes(Hex.decode(commit.hex) ?? []))
    }

    /// The latest runs of which a metric has exactly that value.
    func runs(with metric: String, value: Double, limit: Int64) throws -> [Run] {
        try runs(
            """
            SELECT m.run FROM names n JOIN metrics m ON m.key = n.id AND m.value = ?2
            WHERE n.name = ?1 ORDER BY m.run DESC LIMIT ?3
            """, .text(metric), .double(value), .int(limit))
    }

    /// The names of all metrics, parameters and tags.
    func columns() throws -> [RunColumn] {
        func names(_ table: String) throws -> [String] {
            try String.fetchAll(
                database,
                sql: "SELECT name FROM names n WHERE EXISTS (SELECT 1 FROM \(table) t WHERE t.key = n.id) ORDER BY name"
            )
        }
        return try names("metrics").map { .metric($0) } + names("params").map { .param($0) }
            + names("tags").map { .tag($0) }
    }

    /// How many runs read and how many wrote a content, by the content's digest.
    func uses(of contents: Set<Digest>) throws -> [Digest: ContentUse] {
        var uses: [Digest: ContentUse] = [:]
        let rows = try IndexStatement(
            database, "SELECT digest, output, count(DISTINCT run) FROM items GROUP BY digest, output")
        while try rows.next() {
            guard let digest = Digest(Hex.encode(rows.bytes(0))), contents.contains(digest) else { continue }
            if rows.int(1) == 0 {
                uses[digest, default: ContentUse()].readers = Int(rows.int(2))
            } else {
                uses[digest, default: ContentUse()].writers = Int(rows.int(2))
            }
        }
        return uses
    }

    /// The latest runs that read or wrote a content.
    func runs(using digest: Digest, limit: Int64) throws -> [Run] {
        try runs(
            "SELECT DISTINCT run FROM items WHERE digest = ? ORDER BY run DESC LIMIT ?",
            .bytes(Hex.decode(digest.hex) ?? []), .int(limit))
    }

    /// By the run that they are part of.
    func runs(inside parent: String) throws -> [Run] {
        try runs("SELECT id FROM runs WHERE parent = ? AND NOT deleted ORDER BY started LIMIT 1000", .text(parent))
    }

    /// The objects whose notes name a run.
    func notes(of key: RunKey) throws -> [ObjectID] {
        let rows = try IndexStatement(
            database,
            """
            SELECT c.oid FROM runs r JOIN run_notes n ON n.run = r.id JOIN commits c ON c.id = n.note WHERE r.run = ?
            ORDER BY c.oid
            """)
        rows.bind(1, bytes: key.bytes)
        var notes: [ObjectID] = []
        while try rows.next() { if let note = ObjectID(Hex.encode(rows.bytes(0))) { notes.append(note) } }
        return notes
    }

    private func runs(_ sql: String, _ values: IndexValue...) throws -> [Run] {
        let rows = try IndexStatement(database, sql)
        for (i, value) in values.enumerated() { rows.bind(Int32(i + 1), value) }
        var runs: [Run] = []
        while try rows.next() { if let run = try reader.run(rows.int(0)) { runs.append(run) } }
        return runs
    }
}

/// How many runs read a content, and how many made it.
public struct ContentUse: Sendable {
    public var readers = 0
    public var writers = 0
}
