internal import Base
internal import GitKit
internal import Pointers
internal import Runs
internal import Storage
internal import Synchronization
internal import SystemPackage

/// The runs of a repository as the API reads and writes them.
///
/// A run that goes on, or ended a moment ago, is in the journal: each request reads what is new there, so that several
/// servers and `git ml run` may write to it at once. Everything else comes out of the index.
final class Ledger: Sendable {
    let repository: Repository
    let journal: Journal
    let registry: RegistryEvents
    let kept: KeptObjects
    private let base = Mutex<RunStore?>(nil)
    private let open: @Sendable () throws -> RunStore
    private let live = Mutex<[String: LiveRun]>([:])
    /// The runs that this process has begun.
    private let begun = Mutex<Set<String>>([])

    /// How often something is tried that another process may have got in the way of.
    private static let patience = 20

    /// `open` is called once, when recorded runs are first asked for.
    init(_ repository: Repository, open: @escaping @Sendable () throws -> RunStore) {
        self.repository = repository
        self.open = open
        journal = Journal(repository)
        registry = RegistryEvents(repository)
        kept = KeptObjects(repository)
    }

    // MARK: Reading

    /// What the journal knows of a run.
    func liveRun(_ id: String) -> LiveRun {
        live.withLock { live in
            if let known = live[id] { return known }
            let run = LiveRun(id, in: journal)
            if UUIDv7(id) != nil { live[id] = run }
            return run
        }
    }

    private func forget(_ id: String) { live.withLock { $0[id] = nil } }

    /// The store as it was when it was last looked at.
    private func known() throws -> RunStore {
        try base.withLock { base in
            let store = try base ?? open()
            base = store
            return store
        }
    }

    /// The store as it is now, without the runs in the journal.
    func recorded() throws -> RunStore {
        let store = try known().refreshed(running: [])
        base.withLock { $0 = store }
        return store
    }

    /// The store as it is now.
    func store() throws -> RunStore {
        var store = try recorded()
        store.running = try journal.runs().compactMap { try liveRun($0).run() }
        return store
    }

    /// A run by its id.
    func run(_ id: String) throws -> Run {
        guard UUIDv7(id) != nil else { throw Self.noRun(id) }
        if let run = try liveRun(id).run() { return run }
        forget(id)
        // It may have been folded between the two looks.
        if let run = try recorded().run(id: id) { return run }
        if let run = try liveRun(id).run() { return run }
        throw Self.noRun(id)
    }

    /// The same without its metrics, where that is cheaper.
    func outline(_ id: String) throws -> Run {
        guard UUIDv7(id) != nil else { throw Self.noRun(id) }
        return try liveRun(id).outline() ?? run(id)
    }

    static func noRun(_ id: String) -> MLflowFailure { .missing("Run with id=\(id) not found") }

    /// The curves of a run, those of a run that goes on included.
    func series(of run: Run) async throws -> [String: [MetricPoint]] {
        let recorded = try await known().series(of: run)
        return recorded.merging(try liveRun(run.id).points()) { $0 + $1 }
    }

    // MARK: Writing

    func begin(_ record: RunRecord) throws {
        begun.withLock { _ = $0.insert(record.run.description) }
        try journal.begin(record, owner: ProcessIdentity(getpid()))
    }

    /// What a request to begin a run comes to.
    enum Beginning {
        case new(UUIDv7)
        /// The server that was asked first died before its answer was heard.
        case known(Run)
    }

    /// The id of the run that a request begins: the same when a client that was not answered asks another server.
    ///
    /// That is so when the request names its moment, the run's server has died, and nobody has logged to the run: whoever
    /// has its id was answered. Two who ask the same in one millisecond get two runs.
    func id(of request: JSON, started: Timestamp, given: Bool) throws -> Beginning {
        guard given, abs(Timestamp.now().seconds(since: started)) < 900 else { return .new(UUIDv7()) }
        for n in 0..<Self.patience {
            let id = UUIDv7(at: started, identifying: "\(n) \(request)")
            let run: Run
            do {
                run = try self.run(id.description)
            } catch let failure as MLflowFailure where failure.code == .missing {
                return .new(id)
            }
            let isBegunHere = begun.withLock { $0.contains(run.id) }
            let isUntouched =
                run.status == "running" && run.metrics.isEmpty && run.params.isEmpty && run.outputs.isEmpty
                && run.inputs.isEmpty && !run.isDeleted
            if !isBegunHere, isUntouched, try journal.isOurs(run.id) { return .known(run) }
        }
        return .new(UUIDv7())
    }

    /// Adds events to a run, whether it goes on or not; `build` is given the run as it is when nobody else can write to it.
    func write(_ id: String, _ build: (inout RunEvents, Run) throws -> Void) throws {
        try trying(id) { joined in
            if joined {
                try journal.append(to: id) { try build(&$0, try liveRun(id).outline() ?? run(id)) }
            } else {
                let run = try run(id)
                try journal.amend(id, recorded: { try recorded().lines(of: run) }) { try build(&$0, try self.run(id)) }
                try foldWhenMany()
            }
        }
    }

    /// Adds points of metrics.
    func log(_ points: [(key: String, point: MetricPoint)], to id: String) throws {
        try trying(id) { joined in
            if joined { return try journal.append(points, to: id) }
            let run = try run(id)
            let curves = Dictionary(grouping: points, by: \.key).mapValues { $0.map(\.point) }
            try journal.amend(id, recorded: { try recorded().lines(of: run) }) {
                $0.points(curves, besides: try self.run(id).metrics)
            }
            try foldWhenMany()
        }
    }

    /// Ends a run that goes on, or says anew how one ended.
    func finish(_ id: String, _ end: RunRecord.End) throws {
        try trying(id) { joined in
            if joined { return try journal.finish(id, end) }
            let run = try run(id)
            try journal.amend(id, recorded: { try recorded().lines(of: run) }) { $0.end(end) }
        }
        try foldWhenMany()
    }

    /// Takes a run up again.
    func resume(_ run: Run) async throws {
        let lines = try liveRun(run.id).run() == nil ? recorded().lines(of: run) : []
        try journal.resume(run, lines: lines, series: try await series(of: run))
    }

    /// `body` is told whether the run goes on, and called again when that has changed meanwhile.
    private func trying(_ id: String, _ body: (Bool) throws -> Void) throws {
        for attempt in 1... {
            do {
                return try body(try journal.join(id))
            } catch let failure as JournalFailure where attempt < Self.patience {
                switch failure {
                case .ended, .goesOn: continue
                case .noRun: throw failure
                }
            }
        }
    }

    private func foldWhenMany() throws {
        if try journal.waiting() >= Journal.patience { try RunLog(repository).fold() }
    }

    /// Folds what has ended into git.
    func fold() throws { try RunLog(repository).fold() }

    /// Keeps the runs going whose server died: their clients may go on logging.
    func adoptOrphans() throws {
        for id in try journal.runs() {
            guard try liveRun(id).outline()?.source == RunRecord.Source.mlflow.rawValue else { continue }
            _ = try journal.join(id)
        }
    }

    // MARK: Content

    /// Where the bytes of a content lie, brought from the remote if need be; nil when they are nowhere.
    func file(of digest: Digest, size: Int64) async throws -> FilePath? {
        for store in [kept.store, repository.contentStore] where store.contains(digest, size: size) {
            return store.path(of: digest)
        }
        guard let remote = try known().remote, try await kept.read(digest, remote: remote()) != nil else {
            return nil
        }
        return kept.store.path(of: digest)
    }

    /// The bytes of a content that a list names, brought from the remote if need be; nil when they are nowhere.
    func content(_ digest: Digest) async throws -> [UInt8]? {
        if let bytes = try Files.read(kept.store.path(of: digest)) { return bytes }
        guard let remote = try known().remote else { return nil }
        return try await kept.read(digest, remote: remote())
    }

    /// Keeps the bytes of a file as content.
    func keep(_ file: FilePath) throws -> (digest: Digest, size: Int64) {
        try LocalObjects(mlDirectory: repository.mlDirectory).keep(file: file)
    }

    func keep(_ bytes: [UInt8]) throws -> Digest { try LocalObjects(mlDirectory: repository.mlDirectory).keep(bytes) }
}
