public import Base
public import GitKit
internal import Pointers
public import Storage
internal import SystemPackage

/// The runs of a repository as a reader sees them: fetched notes united, the journal folded in, the index up to date,
/// and runs that are going on laid over it.
public struct RunStore: Sendable {
    public let repository: Repository
    public let log: RunLog
    /// Runs that the journal knows of and the notes do not, or not wholly; they stand in front of the index's.
    public var running: [Run] = []
    /// Where curves are brought from that are not here; nil: nowhere.
    public var remote: (@Sendable () throws -> any ObjectRemote)?

    let index: RunIndex

    /// What was made up for while opening: commits that no hook had recorded.
    public private(set) var caughtUp = CatchUp.Outcome()

    /// Opens the store and brings it up to date.
    ///
    /// With a `recorder`, commits that no hook has recorded are recorded first. `progress` is told the part that is done,
    /// from 0 to 1, when the index has to be built. A repository that cannot be written to is read as it is.
    public init(
        _ repository: Repository, recorder: CommitRecorder? = nil,
        progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) throws {
        self.repository = repository
        log = RunLog(repository)
        do {
            try NotesSync(repository).mergeFetched()
            if let recorder { caughtUp = try CatchUp(repository, recorder).run() }
            try log.fold()
        } catch let failure as FileFailure where [.permissionDenied, .readOnlyFileSystem].contains(failure.errno) {
            // Somebody else's repository, or a medium that cannot change: what is there can be read all the same.
        }
        running = try Journal(repository).running()
        index = try RunIndex.open(repository, progress: progress)
    }

    /// The runs that a query asks for.
    public func runs(_ query: RunQuery = RunQuery()) throws -> [Run] {
        var runs: [Run] = []
        try each(query) { runs.append($0) }
        return runs
    }

    /// Calls `body` for each run that a query asks for, in its order; however many there are, few are in memory.
    public func each(_ query: RunQuery = RunQuery(), _ body: (Run) throws -> Void) throws {
        guard !running.isEmpty else {
            return try index.read { try IndexQuery(query, in: repository, $0).each(body) }
        }
        var wider = query
        wider.offset = 0
        wider.limit = query.limit.map { $0 + query.offset }
        let known = running.compactMap { RunKey($0.id) }
        let order = try RunOrder(query.sort)
        var waiting = try running.filter { try isWanted($0, by: query) }.sorted(by: order.precedes)[...]
        let places = query.offset..<(query.limit.map { $0 + query.offset } ?? .max)
        var place = 0
        func hand(_ run: Run) throws {
            if places.contains(place) { try body(run) }
            place += 1
        }
        try index.read {
            try IndexQuery(wider, excluding: known, in: repository, $0).each { run in
                while let first = waiting.first, order.precedes(first, run) {
                    try hand(first)
                    waiting.removeFirst()
                }
                try hand(run)
            }
        }
        for run in waiting { try hand(run) }
    }

    /// How many runs a query asks for, whatever its limit.
    public func count(_ query: RunQuery) throws -> Int {
        let known = running.compactMap { RunKey($0.id) }
        let recorded = try index.read { try IndexQuery(query, excluding: known, in: repository, $0).count() }
        return try recorded + running.count { try isWanted($0, by: query) }
    }

    /// The names of all metrics, parameters and tags that recorded runs have, in the order of their bytes.
    public func columns() throws -> [RunColumn] {
        try index.read { try IndexLookup($0).columns() }
    }

    /// How many recorded runs read and wrote each of some contents; those that none names are left out.
    public func uses(of contents: Set<Digest>) throws -> [Digest: ContentUse] {
        try index.read { try IndexLookup($0).uses(of: contents) }
    }

    /// The latest recorded runs that read or wrote a content.
    public func runs(using digest: Digest, limit: Int) throws -> [Run] {
        try index.read { try IndexLookup($0).runs(using: digest, limit: Int64(limit)) }
    }

    /// Calls `body` for the runs along the history of a commit, newest commit first; those of one commit latest first.
    ///
    /// A run stands where its code stands, or where the newest commit stands that is linked to it.
    public func along(_ commit: ObjectID, limit: Int? = nil, _ body: (Run) throws -> Void) throws {
        var query = RunQuery()
        query.scope = .history(commit)
        let running = try running.filter { try isWanted($0, by: query) }.sorted(by: RunOrder([]).precedes)
        for run in running.prefix(limit ?? .max) { try body(run) }
        var left = (limit ?? .max) - running.count
        guard left > 0 else { return }
        let known = Set(self.running.map(\.id))
        try index.read { database in
            let reader = try RunReader(database)
            try IndexHistory(repository, database).each(from: commit) { row in
                guard let run = try reader.run(row), !known.contains(run.id) else { return true }
                try body(run)
                left -= 1
                return left > 0
            }
        }
    }

    /// The runs along the history of a commit, in the same order.
    public func history(from commit: ObjectID, limit: Int? = nil) throws -> [Run] {
        var runs: [Run] = []
        try along(commit, limit: limit) { runs.append($0) }
        return runs
    }

    /// Whether a query asks for a run that is going on.
    private func isWanted(_ run: Run, by query: RunQuery) throws -> Bool {
        guard run.isDeleted == query.deleted, query.filter?.matches(run) ?? true else { return false }
        guard case .history(let tip) = query.scope else { return true }
        let commits = [run.commit] + run.links + (run.dirty ? try repository.commit(run.commit).parents.prefix(1) : [])
        return try commits.contains { try repository.isAncestor($0, of: tip) }
    }

    /// A run by its whole id; nil when it is not there.
    public func run(id: String) throws -> Run? {
        if let run = running.first(where: { $0.id == id }) { return run }
        guard let key = RunKey(id) else { return nil }
        return try index.read { try IndexLookup($0).run(key) }
    }

    /// Adds event lines to a run that is recorded already, on the note that its code stands on.
    public func append(_ lines: [String], to run: Run) throws {
        let notes = try RunKey(run.id).map { key in try index.read { try IndexLookup($0).notes(of: key) } } ?? []
        // Its code's own note where that names it; a batch commit's when the note had grown too large.
        let object = notes.contains(run.commit) ? run.commit : notes.first ?? run.commit
        try log.add([object: lines], message: "runs: \(run.id)")
        try index.refresh()
    }

    /// The curves of a run, one array of points a key, in the order of steps; a point that two clones have recorded counts
    /// once.
    public func series(of run: Run) async throws -> [String: [MetricPoint]] {
        var curves: [String: [MetricPoint]] = [:]
        for place in run.series {
            switch place {
            case .inline(let points): curves.merge(points) { $0 + $1 }
            case .content(let digest, _): curves.merge(try SeriesFile.decode(try await content(digest))) { $0 + $1 }
            }
        }
        return curves.mapValues { points in
            var single: [MetricPoint] = []
            for point in points.sorted(by: { ($0.step, $0.time) < ($1.step, $1.time) }) {
                if let last = single.last, last.isIdentical(to: point) { continue }
                single.append(point)
            }
            return single
        }
    }

    /// Content that a run names, brought from the remote when it is not here.
    func content(_ digest: Digest) async throws -> [UInt8] {
        let kept = KeptObjects(repository)
        if let bytes = try Files.read(kept.store.path(of: digest)) { return bytes }
        if let remote, let bytes = try await kept.read(digest, remote: remote()) { return bytes }
        throw MissingSeries(digest: digest)
    }
}

/// Curves that are neither here nor at the remote.
public struct MissingSeries: Failure {
    public let digest: Digest
    public var kind: FailureKind { .notFound }
    public var description: String { "the curves \(digest.short) are neither here nor listed at the remote" }
    public var hints: [String] {
        ["`git fetch` brings the list of contents; else `git push` in the clone that has them"]
    }
}
