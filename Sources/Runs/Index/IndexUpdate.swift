internal import Base
internal import GRDB
internal import GitKit

/// Brings an index from one state of the notes to another.
struct IndexUpdate {
    /// The notes as the index shall show them.
    let notes: NoteView
    let database: Database
    let writer: IndexWriter

    /// So many changes that building anew is faster.
    struct TooMuch: Error {}
    private static let limitInBytes = 256 << 20

    init(notes: NoteView, database: Database, writer: IndexWriter) {
        self.notes = notes
        self.database = database
        self.writer = writer
    }

    /// Takes in what differs since `old`.
    func run(since old: ObjectID) throws {
        var added: [RunKey: RunLines] = [:]
        var removed: Set<RunKey> = []
        var bytes = 0
        try notes.changes(since: old) { object, before, after in
            let before = try before.map { try notes.repository.blob($0) } ?? []
            let after = try after.map { try notes.repository.blob($0) } ?? []
            before.withUnsafeBufferPointer { before in
                after.withUnsafeBufferPointer { after in
                    NoteLines.difference(
                        from: before, to: after,
                        removed: { if let run = NoteLines.run(of: $0) { removed.insert(run) } },
                        added: { line in
                            guard let run = notes.run(of: line) else { return }
                            bytes += line.count
                            added[run, default: RunLines(run, notes.clock)].add(line, on: object)
                        })
                }
            }
            if bytes > Self.limitInBytes { throw TooMuch() }
        }
        var again: [RunKey: [ObjectID]] = [:]
        for run in removed { again[run] = [] }
        for lines in added.values {
            if removed.contains(lines.run) {
                again[lines.run] = lines.notes
            } else if try !take(lines) {
                again[lines.run] = lines.notes
            }
        }
        try refold(again)
        try forgetPurged()
        try setHeads()
    }

    private func forgetPurged() throws {
        for id in notes.purged.runs {
            if let key = RunKey(id), let known = try writer.find(key) { try writer.forget(known.id) }
        }
    }

    /// Notes down what the index now shows.
    func setHeads() throws {
        for (key, head) in [("head", notes.head), ("purged", notes.purged.head)] {
            try database.execute(sql: "INSERT OR REPLACE INTO meta VALUES(?, ?)", arguments: [key, head?.hex])
        }
    }

    /// Settles the lines that a build has put aside.
    func settleStrays() throws {
        try database.execute(sql: "CREATE INDEX temp.strays_run ON strays(run)")
        let strays = try IndexStatement(
            database,
            "SELECT s.run, c.oid, s.line FROM strays s JOIN commits c ON c.id = s.note ORDER BY s.run")
        var again: [RunKey: [ObjectID]] = [:]
        var lines: RunLines?
        func settle() throws {
            if let lines, try !take(lines) { again[lines.run] = lines.notes }
            if again.count >= 5000 {
                try refold(again)
                again = [:]
            }
        }
        while try strays.next() {
            let run = RunKey(bytes: strays.bytes(0))
            guard let note = ObjectID(Hex.encode(strays.bytes(1))) else { continue }
            if lines?.run != run {
                try settle()
                lines = RunLines(run, notes.clock)
            }
            strays.bytes(2).withUnsafeBufferPointer { lines?.add($0, on: note) }
        }
        try settle()
        try refold(again)
        try database.execute(sql: "DROP TABLE strays")
    }

    /// Takes in lines of one run without looking at its other lines; false when that cannot be right.
    private func take(_ lines: RunLines) throws -> Bool {
        guard let first = lines.first, let last = lines.last else { return true }
        guard let known = try writer.find(lines.run) else {
            guard let run = lines.fold() else { return true }
            try writer.insert(run, key: lines.run, notes: lines.notes, last: last)
            return true
        }
        guard first > known.last else { return false }
        if lines.events.allSatisfy({ $0.kind == "link" }) {
            let links = lines.events.compactMap { $0.json["commit"]?.string.flatMap { ObjectID($0) } }
            try writer.add(links: links, notes: lines.notes, to: known.id, last: last)
            return true
        }
        guard var run = try RunReader(database).run(known.id) else { return false }
        lines.apply(to: &run)
        let notes = try writer.notes(of: known.id) + lines.notes
        try writer.forget(known.id)
        try writer.insert(run, key: lines.run, notes: notes, last: last, id: known.id)
        return true
    }

    /// Folds runs again from all notes that name them: those that the index knows of, and the given ones.
    private func refold(_ runs: [RunKey: [ObjectID]]) throws {
        var wanted: [ObjectID: Set<RunKey>] = [:]
        for (run, notes) in runs {
            let known = try writer.find(run).map { try writer.notes(of: $0.id) } ?? []
            for note in known + notes { wanted[note, default: []].insert(run) }
        }
        var found: [RunKey: RunLines] = [:]
        for (object, runs) in wanted {
            guard let note = try notes.note(on: object) else { continue }
            note.withUnsafeBufferPointer { note in
                NoteLines.each(note) { line in
                    guard let run = self.notes.run(of: line), runs.contains(run) else { return }
                    found[run, default: RunLines(run, self.notes.clock)].add(line, on: object)
                }
            }
        }
        for run in runs.keys {
            let known = try writer.find(run)
            if let known { try writer.forget(known.id) }
            guard let lines = found[run], let last = lines.last, let folded = lines.fold() else { continue }
            try writer.insert(folded, key: run, notes: lines.notes, last: last, id: known?.id)
        }
    }
}
