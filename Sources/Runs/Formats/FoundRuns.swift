internal import Base
public import GitKit
internal import Pointers
internal import SystemPackage

/// Runs that other tools have left in the work tree: an MLflow file store in `mlruns/`, TensorBoard's event files in the
/// usual folders and below `record.plots`.
///
/// Each is taken in once. One that has grown since is taken in again under its id and on the commit it was recorded on.
/// Where nothing is there, looking costs a handful of system calls.
public struct FoundRuns: Sendable {
    static let eventFolders = ["runs", "logs", "lightning_logs", "tb_logs", "tensorboard", "tf_logs"]
    static let storeFolder = "mlruns"

    /// How much a hook may do at a time; what is left over comes with the next command.
    public struct Limits: Sendable {
        public var time: Duration?
        /// A run with more bytes of artifacts waits.
        public var artifactBytes: Int64
        /// Whether the index may be built to find out what is known already.
        public var mayBuildIndex: Bool

        public static let none = Limits(time: nil, artifactBytes: .max, mayBuildIndex: true)
        public static let hook = Limits(time: .milliseconds(60), artifactBytes: 16 << 20, mayBuildIndex: false)
    }

    public struct Outcome: Sendable {
        public var records: [RunRecord] = []
        /// A sentence each, with the file and the reason; the rest was read.
        public var warnings: [String] = []
        /// How many runs there are that wait for a command with more time.
        public var waiting = 0
        /// Lets the next look pass over what was taken in: call it when the records are safely in the notes.
        public var remember: @Sendable () throws -> Void = {}
    }

    /// Something that has changed since it was last taken in.
    struct Candidate {
        enum Kind {
            case store(MLflowFileStore.RunFolder)
            case events(FilePath)
        }
        let path: String
        let kind: Kind
        let state: String
        /// Where it was recorded before.
        let code: ObjectID?
    }

    private let repository: Repository
    private let settings: RecordSettings
    private let kept: any KeptContent

    /// `kept` takes in what the runs have left: ``LocalObjects``.
    public init(_ repository: Repository, settings: RecordSettings, kept: (any KeptContent)? = nil) {
        self.repository = repository
        self.settings = settings
        self.kept = kept ?? LocalObjects(mlDirectory: repository.mlDirectory)
    }

    /// The runs that are new or have changed, as records on `code`, or on the commit that they were recorded on before.
    public func records(code: ObjectID, limits: Limits = .none) throws -> Outcome {
        var outcome = Outcome()
        guard let top = repository.workTree else { return outcome }
        let candidates = try scan(top)
        if candidates.isEmpty { return outcome }
        let known = KnownRuns(repository, mayBuildIndex: limits.mayBuildIndex)
        guard known.isReady else {
            outcome.waiting = candidates.count
            return outcome
        }
        var entries: [String: FoundCache.Entry] = [:]
        var reader = MLflowFileStore.Reader(MLflowFileStore(top.appending(Self.storeFolder)))
        let start = ContinuousClock.now
        for candidate in candidates {
            let isLate = limits.time.map { ContinuousClock.now - start > $0 } ?? false
            if try isLate || isTooLarge(candidate, limits.artifactBytes) {
                outcome.waiting += 1
                continue
            }
            var content = FoundContent()
            content.attempt(candidate.path) { content in
                content.add(try read(candidate, code: code, &reader))
                content.records = try content.records.compactMap { record in
                    try placed(record, candidate, code: code, known)
                }
            }
            outcome.records += content.records
            outcome.warnings += content.warnings
            entries[candidate.path] = FoundCache.Entry(
                state: candidate.state, code: content.records.first?.code ?? candidate.code)
        }
        outcome.remember = { [cache = FoundCache(repository), entries] in try cache.remember(entries) }
        return outcome
    }

    private func read(_ candidate: Candidate, code: ObjectID, _ reader: inout MLflowFileStore.Reader) throws
        -> FoundContent
    {
        switch candidate.kind {
        case .events(let folder): return try TensorBoardEvents.read(folder, label: candidate.path, code: code)
        case .store(let folder):
            let found = try reader.read(folder, code: code, store: kept)
            var content = FoundContent()
            content.records = found.record.map { [$0] } ?? []
            content.warnings = found.warnings
            return content
        }
    }

    /// A record on the commit where it belongs; nil when all of it is known already.
    private func placed(_ record: RunRecord, _ candidate: Candidate, code: ObjectID, _ known: KnownRuns) throws
        -> RunRecord?
    {
        var record = record
        if !settings.user { record.user = nil }
        if let run = try known.run(record.run) {
            if record.isCovered(by: run) { return nil }
            record.goOn(from: run)
        } else if let before = candidate.code {
            record.code = before
        } else {
            record.code = try SourceCommit(repository).code(of: record, else: code)
        }
        return record
    }

    /// Whether a run's artifacts are more than may be copied now.
    private func isTooLarge(_ candidate: Candidate, _ limit: Int64) throws -> Bool {
        guard limit < .max, case .store(let folder) = candidate.kind else { return false }
        var sum: Int64 = 0
        var walk = FolderWalk(budget: 1000, depth: 16)
        try walk.files(below: folder.path.appending("artifacts")) { _, _, status in sum += status.size }
        return sum > limit
    }
}

// MARK: - Looking

extension FoundRuns {
    /// What has changed since it was last taken in.
    func scan(_ top: FilePath) throws -> [Candidate] {
        let store = top.appending(Self.storeFolder)
        let hasStore = Files.status(store)?.kind == .directory
        let plots = settings.plots.map { PathPattern($0).fixedPrefix }.filter { !$0.isEmpty }
        let folders = (Self.eventFolders + plots).filter {
            Files.status(top.appending(FilePath($0).components))?.kind == .directory
        }
        if !hasStore, folders.isEmpty { return [] }
        let found = try (hasStore ? stores(store) : []) + events(top, folders)
        if found.isEmpty { return [] }
        var cache = FoundCache(repository)
        cache.load()
        return found.compactMap { candidate in
            let entry = cache.entries[candidate.path]
            if entry?.state == candidate.state { return nil }
            return Candidate(path: candidate.path, kind: candidate.kind, state: candidate.state, code: entry?.code)
        }
    }

    private func stores(_ store: FilePath) throws -> [Candidate] {
        try MLflowFileStore(store).runFolders().compactMap { folder in
            guard let meta = Files.status(folder.path.appending("meta.yaml")) else { return nil }
            // A metric or tag that is new changes its folder; MLflow rewrites meta.yaml when the run ends.
            let folders = ["metrics", "params", "tags", "artifacts"].map { name in
                Files.status(folder.path.appending(name))?.modified.microseconds ?? 0
            }
            let state = ([meta.size, meta.modified.microseconds] + folders).map(String.init).joined(separator: " ")
            let name = folder.experiment.lastComponent?.string ?? ""
            return Candidate(
                path: "\(Self.storeFolder)/\(name)/\(folder.id)", kind: .store(folder), state: state, code: nil)
        }
    }

    private func events(_ top: FilePath, _ folders: [String]) throws -> [Candidate] {
        var sums: [String: (count: Int64, size: Int64, newest: Int64)] = [:]
        var walk = FolderWalk(budget: 4000, depth: 4)
        var seen: Set<String> = []
        for folder in folders {
            try walk.files(below: top.appending(FilePath(folder).components)) { path, file, status in
                guard TensorBoardEvents.isEventFile(file.lastComponent?.string ?? ""),
                    seen.insert("\(folder)/\(path)").inserted
                else { return }
                let parent = "\(folder)/\(path)".split(separator: "/").dropLast().joined(separator: "/")
                let old = sums[parent] ?? (0, 0, 0)
                sums[parent] = (
                    old.count + 1, old.size + status.size, max(old.newest, status.modified.microseconds)
                )
            }
        }
        return sums.sorted { $0.key < $1.key }.map { path, sum in
            Candidate(
                path: path, kind: .events(top.appending(FilePath(path).components)),
                state: "\(sum.count) \(sum.size) \(sum.newest)", code: nil)
        }
    }
}
