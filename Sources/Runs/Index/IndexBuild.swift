internal import Base
internal import GRDB
internal import GitKit

/// Fills an empty index from all notes.
///
/// One thread reads, parses and folds, another one inserts. A run of which all lines stand in one note goes straight in;
/// lines that stand apart from their run's start (links, copies on amended commits) are put aside and settled at the end.
struct IndexBuild {
    let notes: NoteView
    /// Told the part that is done, from 0 to 1.
    let progress: @Sendable (Double) -> Void

    private enum Piece: Sendable {
        case run(Run, RunKey, note: ObjectID, last: Timestamp)
        case stray(RunLines)
    }

    func run(_ database: Database) throws {
        try database.execute(sql: IndexSchema.tables)
        for table in IndexSchema.history(in: "main") { try database.execute(sql: table) }
        try database.execute(sql: "INSERT INTO history_tip VALUES(NULL)")
        let writer = try IndexWriter(database)
        try load(writer)
        try database.execute(sql: IndexSchema.indexes)
        for index in IndexSchema.historyIndexes(in: "main") { try database.execute(sql: index) }
        let update = IndexUpdate(notes: notes, database: database, writer: writer)
        try update.settleStrays()
        try update.setHeads()
        try database.execute(sql: "PRAGMA user_version = \(IndexSchema.version)")
        progress(1)
    }

    private func load(_ writer: IndexWriter) throws {
        let handover = Handover<[Piece]>(limit: 8)
        let (notes, progress) = (notes, progress)
        Threads.start {
            do {
                try Self.read(notes, into: handover, progress)
                handover.finish()
            } catch {
                handover.finish(error)
            }
        }
        defer { handover.finish() }  // when inserting fails, the reader stops too
        while let batches = try handover.take() {
            for piece in batches.joined() {
                switch piece {
                case .run(let run, let key, let note, let last):
                    try writer.insert(run, key: key, notes: [note], last: last)
                case .stray(let lines): try writer.keep(lines)
                }
            }
        }
    }

    private static func read(
        _ notes: NoteView, into handover: Handover<[Piece]>, _ progress: (Double) -> Void
    ) throws {
        struct Stopped: Error {}
        var seen: Set<RunKey> = []
        var batch: [Piece] = []
        func hand() throws {
            if !handover.put(batch) { throw Stopped() }
            batch = []
        }
        try notes.each { object, blob, part in
            for lines in group(try notes.repository.blob(blob), on: object, notes) {
                if lines.hasStart, !seen.contains(lines.run), let last = lines.last, let run = lines.fold() {
                    seen.insert(lines.run)
                    batch.append(.run(run, lines.run, note: object, last: last))
                } else {
                    batch.append(.stray(lines))
                }
                if batch.count >= 256 { try hand() }
            }
            progress(part)
        }
        try hand()
    }

    /// The lines of a note, run by run.
    private static func group(_ note: [UInt8], on object: ObjectID, _ view: NoteView) -> [RunLines] {
        var groups: [RunLines] = []
        var places: [RunKey: Int] = [:]
        note.withUnsafeBufferPointer { note in
            NoteLines.each(note) { line in
                guard let run = view.run(of: line) else { return }
                let place = places[run] ?? groups.count
                if place == groups.count {
                    groups.append(RunLines(run, view.clock))
                    places[run] = place
                }
                groups[place].add(line, on: object)
            }
        }
        return groups
    }
}
