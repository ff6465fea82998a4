public import Base
public import GitKit
internal import Pointers

/// Records a commit as a run, if it changes parameters, metrics or a model.
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
        /// Nil when there was nothing to record, or when the commit had been recorded before.
        public var run: UUIDv7?
        /// Files that could not be read; the rest was recorded.
        public var warnings: [String] = []
    }

    /// Records one commit; a second call with the same commit changes nothing.
    ///
    /// `replaced` is the commit that an amend put aside: when nothing that a run consists of differs from it, the
    /// commit is no new run.
    public func record(_ id: ObjectID, replacing replaced: ObjectID? = nil) throws -> Outcome {
        var outcome = Outcome()
        let commit = try repository.commit(id)
        let base = replaced ?? commit.parents.first
        guard try changesExperiment(id, since: base), try log.notes.lines(on: id).isEmpty else { return outcome }

        var record = RunRecord(code: id, source: .commit)
        record.user = settings.user ? commit.author.name : nil
        record.host = settings.host ? MachineInfo.host() : nil
        record.environment = try MachineInfo.environment(of: id, in: repository)
        record.params = ValueFile.params(try values(settings.params, in: id, &outcome.warnings))
        record.series = ValueFile.metrics(try values(settings.metrics, in: id, &outcome.warnings)).mapValues {
            [MetricPoint(step: 0, time: record.started, value: $0)]
        }
        let items = try items(in: id)
        record.inputs = items.filter { $0.role == .data }
        record.outputs = items.filter { $0.role == .model }
        record.end = RunRecord.End(.finished)
        try log.notes.add([id: record.lines(store: KeptObjects(repository))], message: "runs: \(id.short)")
        outcome.run = record.run
        return outcome
    }

    /// Whether a params or metrics file or a model differs between two commits.
    private func changesExperiment(_ commit: ObjectID, since base: ObjectID?) throws -> Bool {
        for path in settings.params + settings.metrics + modelPaths {
            let now = try repository.entry(path, in: commit)
            let before = try base.flatMap { try repository.entry(path, in: $0) }
            if now?.id != before?.id { return true }
        }
        return false
    }

    private func values(_ paths: [String], in commit: ObjectID, _ warnings: inout [String]) throws -> [String: JSON] {
        var all: [String: JSON] = [:]
        for path in paths {
            guard let bytes = try repository.file(path, in: commit) else { continue }
            do {
                all.merge(try ValueFile.read(bytes, path: path)) { $1 }
            } catch let failure as any Failure {
                warnings.append("\(failure)")
            }
        }
        return all
    }

    /// The pointers in the commit: models where a model is declared, else data.
    private func items(in commit: ObjectID) throws -> [RunItem] {
        try PointerScan(repository).pointers(in: commit).map { path, pointer in
            let isModel = modelPaths.contains { path == $0 || path.hasPrefix($0 + "/") }
            return RunItem(
                path: path, digest: pointer.digest, size: pointer.size, role: isModel ? .model : .data)
        }
    }
}
