internal import Base
internal import GRDB
internal import GitKit

/// Writes folded runs into the tables of the index.
final class IndexWriter {
    private let database: Database
    private let statements: Statements
    private var stray: IndexStatement?
    private var names: [String: Int64] = [:]
    private var environments: [String: Int64] = [:]
    private var commits: [ObjectID: Int64] = [:]

    /// Prepared once: preparing costs more than running.
    private struct Statements {
        let run, metric, param, tag, item, link, note, base: IndexStatement
        let find, notes, links, touch: IndexStatement
        let forget: [IndexStatement]
        let nameFind, nameAdd, environmentFind, environmentAdd, commitFind, commitAdd: IndexStatement

        init(_ database: Database) throws {
            func make(_ sql: String) throws -> IndexStatement { try IndexStatement(database, sql) }
            run = try make("INSERT INTO runs VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
            metric = try make("INSERT INTO metrics VALUES(?,?,?,?,?,?,?,?,?)")
            param = try make("INSERT INTO params VALUES(?,?,?,?)")
            tag = try make("INSERT INTO tags VALUES(?,?,?,?)")
            item = try make("INSERT INTO items VALUES(?,?,?,?,?,?,?)")
            link = try make("INSERT INTO links VALUES(?,?,?)")
            note = try make("INSERT OR IGNORE INTO run_notes VALUES(?,?)")
            base = try make("INSERT OR IGNORE INTO main.bases(code) VALUES(?)")
            find = try make("SELECT id, last FROM runs WHERE run = ?")
            notes = try make("SELECT c.oid FROM run_notes n JOIN commits c ON c.id = n.note WHERE n.run = ?")
            links = try make("SELECT count(*) FROM links WHERE run = ?")
            touch = try make("UPDATE runs SET last = ? WHERE id = ?")
            forget =
                try ["metrics", "params", "tags", "items", "links", "run_notes"].map {
                    try make("DELETE FROM \($0) WHERE run = ?")
                } + [make("DELETE FROM runs WHERE id = ?")]
            nameFind = try make("SELECT id FROM names WHERE name = ?")
            nameAdd = try make("INSERT INTO names(name) VALUES(?)")
            environmentFind = try make("SELECT id FROM environments WHERE json = ?")
            environmentAdd = try make("INSERT INTO environments(json) VALUES(?)")
            commitFind = try make("SELECT id FROM commits WHERE oid = ?")
            commitAdd = try make("INSERT INTO commits(oid) VALUES(?)")
        }
    }

    init(_ database: Database) throws {
        self.database = database
        statements = try Statements(database)
    }

    /// Where a run stands, and when its last line was written; nil when it is new.
    func find(_ run: RunKey) throws -> (id: Int64, last: Timestamp)? {
        statements.find.bind(1, bytes: run.bytes)
        guard try statements.find.next() else { return nil }
        defer { statements.find.reset() }
        return (statements.find.int(0), Timestamp(microseconds: statements.find.int(1)))
    }

    /// Takes a run out.
    func forget(_ id: Int64) throws {
        for statement in statements.forget {
            statement.bind(1, id)
            try statement.run()
        }
    }

    /// Puts a run in, under an id that is free (nil: the next one), with the notes that name it.
    func insert(_ run: Run, key: RunKey, notes: [ObjectID], last: Timestamp, id: Int64? = nil) throws {
        let statement = statements.run
        let code = try commit(run.commit)
        statement.bind(1, id)
        statement.bind(2, bytes: key.bytes)
        statement.bind(3, code)
        statement.bind(4, run.name)
        statement.bind(5, run.experiment)
        statement.bind(6, run.user)
        statement.bind(7, run.host)
        statement.bind(8, run.source)
        statement.bind(9, run.status)
        statement.bind(10, run.started.microseconds)
        statement.bind(11, run.seconds)
        statement.bind(12, run.exit)
        statement.bind(13, run.peakMemory)
        statement.bind(14, run.dirty)
        statement.bind(15, run.parent)
        statement.bind(16, try environment(run.environment.description))
        statement.bind(17, run.isDeleted)
        statement.bind(18, last.microseconds)
        statement.bind(19, run.detail)
        try statement.run()
        let row = id ?? database.lastInsertedRowID
        try insertMetrics(run, row)
        try insertTexts(run.params, row, statements.param)
        try insertTexts(run.tags, row, statements.tag)
        try insertItems(run.inputs, row, isOutput: false)
        try insertItems(run.outputs, row, isOutput: true)
        try insert(links: run.links, after: 0, row)
        try insert(notes: notes, row)
        if run.dirty {
            statements.base.bind(1, code)
            try statements.base.run()
        }
    }

    /// Adds links to a run that stands, later than all that is known of it.
    func add(links: [ObjectID], notes: [ObjectID], to row: Int64, last: Timestamp) throws {
        statements.links.bind(1, row)
        let count = try statements.links.next() ? statements.links.int(0) : 0
        statements.links.reset()
        try insert(links: links, after: count, row)
        try insert(notes: notes, row)
        statements.touch.bind(1, last.microseconds)
        statements.touch.bind(2, row)
        try statements.touch.run()
    }

    /// The notes that name a run.
    func notes(of row: Int64) throws -> [ObjectID] {
        statements.notes.bind(1, row)
        var notes: [ObjectID] = []
        while try statements.notes.next() {
            if let note = ObjectID(Hex.encode(statements.notes.bytes(0))) { notes.append(note) }
        }
        return notes
    }

    private func insert(links: [ObjectID], after count: Int64, _ row: Int64) throws {
        for (place, commit) in links.enumerated() {
            statements.link.bind(1, row)
            statements.link.bind(2, count + Int64(place))
            statements.link.bind(3, try self.commit(commit))
            try statements.link.run()
        }
    }

    private func insert(notes: [ObjectID], _ row: Int64) throws {
        for note in notes {
            statements.note.bind(1, row)
            statements.note.bind(2, try commit(note))
            try statements.note.run()
        }
    }

    /// Keeps lines for the end of a build: their run may stand elsewhere.
    func keep(_ lines: RunLines) throws {
        let statement = try stray ?? IndexStatement(database, "INSERT INTO strays VALUES(?,?,?)")
        stray = statement
        for event in lines.events {
            statement.bind(1, bytes: lines.run.bytes)
            statement.bind(2, try commit(event.note))
            statement.bind(3, bytes: event.line)
            try statement.run()
        }
    }

    private func insertMetrics(_ run: Run, _ row: Int64) throws {
        let statement = statements.metric
        // In the order of the table's key: SQLite then appends.
        for (key, metric) in try run.metrics.map({ (try name($0.key), $0.value) }).sorted(by: { $0.0 < $1.0 }) {
            statement.bind(1, row)
            statement.bind(2, key)
            statement.bind(3, metric.last)
            statement.bind(4, metric.step)
            statement.bind(5, metric.at?.microseconds)
            statement.bind(6, metric.min)
            statement.bind(7, metric.max)
            statement.bind(8, metric.firstStep)
            statement.bind(9, metric.count)
            try statement.run()
        }
    }

    private func insertTexts(_ texts: [String: String], _ row: Int64, _ statement: IndexStatement) throws {
        for (key, text) in try texts.map({ (try name($0.key), $0.value) }).sorted(by: { $0.0 < $1.0 }) {
            statement.bind(1, row)
            statement.bind(2, key)
            statement.bind(3, text)
            statement.bind(4, FilterValue.number(text))
            try statement.run()
        }
    }

    private func insertItems(_ items: [RunItem], _ row: Int64, isOutput: Bool) throws {
        let statement = statements.item
        for (place, item) in items.enumerated() {
            statement.bind(1, row)
            statement.bind(2, isOutput)
            statement.bind(3, Int64(place))
            statement.bind(4, item.path)
            statement.bind(5, bytes: item.digest.bytes)
            statement.bind(6, item.size)
            statement.bind(7, item.role.rawValue)
            try statement.run()
        }
    }
}

// MARK: - What stands once

extension IndexWriter {
    private func name(_ text: String) throws -> Int64 {
        if let id = names[text] { return id }
        let id = try intern(statements.nameFind, statements.nameAdd, .text(text))
        names[text] = id
        return id
    }

    private func environment(_ json: String) throws -> Int64 {
        if let id = environments[json] { return id }
        let id = try intern(statements.environmentFind, statements.environmentAdd, .text(json))
        if environments.count > 1000 { environments = [:] }
        environments[json] = id
        return id
    }

    private func commit(_ oid: ObjectID) throws -> Int64 {
        if let id = commits[oid] { return id }
        let id = try intern(statements.commitFind, statements.commitAdd, .bytes(Hex.decode(oid.hex) ?? []))
        if commits.count > 10_000 { commits = [:] }
        commits[oid] = id
        return id
    }

    private func intern(_ find: IndexStatement, _ add: IndexStatement, _ value: IndexValue) throws -> Int64 {
        find.bind(1, value)
        if try find.next() {
            defer { find.reset() }
            return find.int(0)
        }
        add.bind(1, value)
        try add.run()
        return database.lastInsertedRowID
    }
}
