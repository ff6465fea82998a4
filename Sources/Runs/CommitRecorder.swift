public import Base
public import GitKit
internal import Pointers
internal import SystemPackage

/// Records a commit: ties it to the run that it holds the results of, or, where there is none, takes it for a run itself.
public struct CommitRecorder: Sendable {
    private let repository: Repository
    private let settings: RecordSettings
    private let modelPaths: [String]
    private let log: RunLog

    /// `modelPaths` are the files and folders that hold models, from the top of the work tree.
    public init(_ repository: Repository, settings: RecordSettings, modelPaths: [String]) {
        self.repository = repository
        self.settings = settings
        self.modelPaths = modelPaths
        log = RunLog(repository)
    }

    /// What came of looking at a commit.
    public struct Outcome: Sendable {
        /// The commit itself, as a run; nil when there was nothing to record, or when it had been recorded before.
        public var run: UUIDv7?
        /// The run that the commit holds the results of.
        public var linked: String?
        /// Files that could not be read; the rest was recorded.
        public var warnings: [String] = []
    }

    /// Records one commit and folds the journal into the notes with it; a second call with the same commit changes nothing.
    ///
    /// `replaced` is the commit that an amend put aside: when nothing that a run consists of differs from it, the
    /// commit is no new run. `isLate` says that the commit was made some time ago.
    public func record(_ id: ObjectID, replacing replaced: ObjectID? = nil, isLate: Bool = false) throws -> Outcome {
        try Journal(repository).fold { batch in
            var lines = batch.lines
            var outcome = Outcome()
            let commit = try repository.commit(id)
            if try changesExperiment(id, since: replaced ?? commit.parents.first), try !isRecorded(id) {
                lines[id, default: []] += try self.lines(commit, batch.runs, isLate, &outcome)
            }
            if !lines.isEmpty { try log.add(lines, message: "runs: \(id.short)") }
            return outcome
        }
    }

    /// Takes in what other tools have left in the work tree, as runs on `code`.
    ///
    /// Returns how many were taken in, how many need more time than `limits` give, and what could not be read.
    public func recordFound(on code: ObjectID, limits: FoundRuns.Limits) throws -> (
        recorded: Int, waiting: Int, warnings: [String]
    ) {
        let found = try FoundRuns(repository, settings: settings).records(code: code, limits: limits)
        if !found.records.isEmpty {
            let kept = LocalObjects(mlDirectory: repository.mlDirectory)
            var lines: [ObjectID: [String]] = [:]
            for record in found.records { lines[record.code, default: []] += try record.lines(store: kept) }
            try log.add(lines, message: "runs: found \(found.records.count)")
        }
        try found.remember()
        return (found.records.count, found.waiting, found.warnings)
    }

    /// The lines to stand on a commit.
    private func lines(_ commit: Commit, _ fresh: [Run], _ isLate: Bool, _ outcome: inout Outcome) throws -> [String] {
        let content = try CommitContent(commit, in: repository, settings, modelPaths, &outcome.warnings)
        if let (run, isExact) = try RunMatch(repository, log, settings).find(for: content, fresh: fresh),
            let id = UUIDv7(run.id)
        {
            var events = RunEvents(run: id)
            events.link(commit.id, isExact: isExact)
            outcome.linked = run.id
            return events.lines
        }
        let time = isLate ? min(commit.committer.time, .now()) : .now()
        var record = RunRecord(
            run: UUIDv7(at: commit.committer.time, identifying: "commit \(commit.id)"), started: time, code: commit.id,
            source: .commit)
        record.user = settings.user ? commit.author.name : nil
        record.host = settings.host ? MachineInfo.host() : nil
        record.environment = try MachineInfo.environment(of: commit.id, in: repository)
        record.params = Secrets.masked(content.params)
        record.series = content.metrics.mapValues { [MetricPoint(step: 0, time: record.started, value: $0)] }
        if !isLate { try addDVCLive(&record, &outcome) }
        record.inputs = content.items.filter { $0.role == .data }
        record.outputs = content.items.filter { $0.role == .model || $0.role == .plot }
        record.end = RunRecord.End(.finished)
        outcome.run = record.run
        return try record.lines(store: LocalObjects(mlDirectory: repository.mlDirectory))
    }

    /// The curves that DVCLive has left in the work tree, when the commit holds the metrics they end in.
    private func addDVCLive(_ record: inout RunRecord, _ outcome: inout Outcome) throws {
        guard let folder = repository.workTree?.appending(DVCLive.folderName), DVCLive.isFolder(folder),
            try repository.entry(DVCLive.metricsPath, in: record.code) != nil
        else { return }
        let live = try DVCLive.read(folder, at: record.started)
        record.params.merge(live.params) { $1 }
        record.series.merge(live.series) { $1 }
        outcome.warnings += live.warnings
    }

    /// Whether a commit's own run stands on it, or a link to the run that it holds the results of.
    ///
    /// Lines of a run that was started on the commit later say nothing of that.
    private func isRecorded(_ commit: ObjectID) throws -> Bool {
        let link = #""ev":"link","commit":"\#(commit)""#
        return try log.lines(on: commit).contains { line in
            line.contains(link) || (line.contains(#""ev":"start""#) && line.contains(#""source":"commit""#))
        }
    }

    /// Whether a params or metrics file or a model differs between two commits.
    private func changesExperiment(_ commit: ObjectID, since base: ObjectID?) throws -> Bool {
        for path in settings.params + settings.metricFiles.map(\.path) + modelPaths {
            let now = try repository.entry(path, in: commit)
            let before = try base.flatMap { try repository.entry(path, in: $0) }
            if now?.id != before?.id { return true }
        }
        return false
    }
}

/// What a commit holds of an experiment.
struct CommitContent {
    let commit: Commit
    var params: [String: String] = [:]
    var metrics: [String: Double] = [:]
    /// The pointers: models where a model is declared, else data.
    var items: [RunItem] = []

    init(
        _ commit: Commit, in repository: Repository, _ settings: RecordSettings, _ modelPaths: [String],
        _ warnings: inout [String]
    ) throws {
        self.commit = commit
        var failures: [any Error] = []
        params = ValueFile.params(
            try ValueFile.read(settings.params, in: commit.id, of: repository) { failures.append($0) })
        metrics = try Self.metrics(settings, in: commit.id, of: repository) { failures.append($0) }
        warnings += failures.map { "\($0)" }
        items = try PointerScan(repository).pointers(in: commit.id).map { path, pointer in
            let isModel = modelPaths.contains { path == $0 || path.hasPrefix($0 + "/") }
            return RunItem(path: path, digest: pointer.digest, size: pointer.size, role: isModel ? .model : .data)
        }
        items += try Self.plots(settings.plots.map { PathPattern($0) }, commit.id, repository)
    }

    /// The metrics that a commit's files hold.
    static func metrics(
        _ settings: RecordSettings, in commit: ObjectID, of repository: Repository, complain: (any Error) -> Void
    ) throws -> [String: Double] {
        var metrics: [String: Double] = [:]
        for (prefix, files) in Dictionary(grouping: settings.metricFiles, by: \.prefix) {
            let values = try ValueFile.read(files.map(\.path), in: commit, of: repository, complain: complain)
            for (key, value) in ValueFile.metrics(values) { metrics[prefix + key] = value }
        }
        return metrics
    }

    /// A plot of more bytes is no picture that somebody looks at; it is passed over.
    private static let largestPlot = 10 << 20

    /// The plots that git itself stores; those behind pointers are data.
    private static func plots(_ patterns: [PathPattern], _ commit: ObjectID, _ repository: Repository) throws
        -> [RunItem]
    {
        var found: [String: RunItem] = [:]
        func look(_ entry: TreeEntry, _ path: String, _ pattern: PathPattern) throws {
            if entry.mode == .directory {
                for inner in try repository.tree(entry.id).entries { try look(inner, "\(path)/\(inner.name)", pattern) }
                return
            }
            guard entry.mode == .file || entry.mode == .executable, found[path] == nil, pattern.matches(path),
                let header = try repository.header(entry.id), header.size <= largestPlot
            else { return }
            let bytes = try repository.blob(entry.id)
            if (try? Pointer.parse(bytes, path: path)) != nil { return }
            found[path] = RunItem(path: path, digest: .of(bytes), size: Int64(bytes.count), role: .plot)
        }
        for pattern in patterns {
            let folder = pattern.fixedPrefix
            // A pattern without a folder of its own would mean reading the whole tree in a hook.
            guard !folder.isEmpty, let entry = try repository.entry(folder, in: commit) else { continue }
            try look(entry, folder, pattern)
        }
        return found.values.sorted { $0.path < $1.path }
    }
}
