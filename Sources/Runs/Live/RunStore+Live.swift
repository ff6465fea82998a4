internal import Base
internal import GRDB
internal import GitKit

extension RunStore {
    /// The same store as the notes are now, for one that is kept open; `running` stand in front of the index's runs.
    public func refreshed(running: [Run]) throws -> RunStore {
        try NotesSync(repository).mergeFetched()
        var store = self
        do { try store.index.refresh() } catch { store = try RunStore(repository) }
        store.running = running
        store.remote = remote
        return store
    }

    /// The runs of a query in all the given states of deletion, in the query's order.
    public func runs(_ query: RunQuery, deleted states: Set<Bool>) throws -> [Run] {
        var query = query
        if states.count == 1 {
            query.deleted = states.contains(true)
            return try runs(query)
        }
        let (limit, offset) = (query.limit, query.offset)
        query.limit = limit.map { $0 + offset }
        query.offset = 0
        var all: [Run] = []
        for state in states {
            query.deleted = state
            all += try runs(query)
        }
        return Array(all.sorted(by: try RunOrder(query.sort).precedes).dropFirst(offset).prefix(limit ?? .max))
    }

    /// The event lines of one run in the notes.
    public func lines(of run: Run) throws -> [String] {
        let notes = try RunKey(run.id).map { key in try index.read { try IndexLookup($0).notes(of: key) } } ?? []
        let lines = try Set([run.commit] + notes).flatMap { try log.lines(on: $0) }
        return Set(
            lines.filter { line in
                line.contains(run.id) && (try? JSON.parse(line))?["run"]?.string == run.id
            }
        ).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}

extension RunStore {
    /// The experiments that recorded runs name.
    public func experimentNames() throws -> Set<String> {
        try index.read {
            try String.fetchSet($0, sql: "SELECT DISTINCT experiment FROM runs WHERE experiment IS NOT NULL")
        }
    }
}
