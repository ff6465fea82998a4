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

        var events = RunEvents()
        events.add("start", try start(of: commit))
        events.params(ValueFile.params(try values(settings.params, in: id, &outcome.warnings)))
        events.metrics(ValueFile.metrics(try values(settings.metrics, in: id, &outcome.warnings)))
        let items = try items(in: id)
        events.inputs(items.filter { $0.role == .data })
        events.outputs(items.filter { $0.role == .model })
        events.add(
            "end",
            [JSON.Member("status", "finished"), JSON.Member("seconds", nil), JSON.Member("exit", nil)])
        try log.notes.add([id: events.lines], message: "runs: \(id.short)")
        outcome.run = events.run
        return outcome
    }

    private func start(of commit: Commit) throws -> [JSON.Member] {
        [
            JSON.Member("name", nil), JSON.Member("experiment", nil),
            JSON.Member("user", settings.user ? .string(commit.author.name) : nil),
            JSON.Member("host", settings.host ? .optional(MachineInfo.host()) : nil), JSON.Member("cmd", []),
            JSON.Member("code", .string(commit.id.hex)), JSON.Member("dirty", false), JSON.Member("left_out", []),
            JSON.Member("parent", nil), JSON.Member("source", "commit"),
            JSON.Member("env", try MachineInfo.environment(of: commit.id, in: repository)),
        ]
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
