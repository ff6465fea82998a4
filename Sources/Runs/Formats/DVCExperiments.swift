internal import Base
public import GitKit

/// Reads the experiments that `dvc exp` keeps in a repository: `refs/exps/<aa>/<rest of the baseline>/<name>`.
///
/// An experiment is a commit on its baseline; nothing but git is read. The run's code is that commit.
public struct DVCExperiments: Sendable {
    private let repository: Repository
    private let settings: RecordSettings

    public init(_ repository: Repository, settings: RecordSettings) {
        self.repository = repository
        self.settings = settings
    }

    /// An experiment's ref.
    public struct Experiment: Sendable, Equatable {
        public let name: String
        public let baseline: ObjectID
        public let commit: ObjectID
    }

    /// All experiments, by the names of their refs; DVC's own refs beside them (`exec`, `stash`, …) are none.
    public func list() throws -> [Experiment] {
        try repository.refs(below: "refs/exps/").compactMap { ref in
            let parts = ref.name.split(separator: "/", maxSplits: 4)
            guard parts.count == 5, parts[2].utf8.count == 2, let baseline = ObjectID(parts[2] + parts[3]) else {
                return nil
            }
            return Experiment(name: String(parts[4]), baseline: baseline, commit: ref.target)
        }
    }

    public func read() throws -> FoundContent {
        var content = FoundContent()
        for experiment in try list() {
            content.attempt("the experiment \(experiment.name)") { content in
                content.records.append(try record(experiment, &content.warnings))
            }
        }
        return content
    }

    private func record(_ experiment: Experiment, _ warnings: inout [String]) throws -> RunRecord {
        let commit = try repository.commit(experiment.commit)
        let time = max(commit.committer.time, Timestamp(microseconds: 0))
        var record = RunRecord(
            run: UUIDv7(at: time, identifying: "dvc-exp\n\(commit.id)"), started: time, code: commit.id,
            source: .imported)
        record.name = experiment.name
        record.user = settings.user ? commit.author.name : nil
        let lock = try lock(in: commit.id, &warnings)
        var params = lock.params
        params.merge(try values(settings.params, in: commit.id, &warnings)) { $1 }
        record.params = Secrets.masked(ValueFile.params(params))
        let metrics = Set(settings.metrics + lock.metrics).sorted()
        record.series = ValueFile.metrics(try values(metrics, in: commit.id, &warnings)).mapValues {
            [MetricPoint(step: 0, time: time, value: $0)]
        }
        record.command = Secrets.masked(arguments: lock.command)
        record.tags = ["dvc.exp.baseline": experiment.baseline.hex]
        record.end = RunRecord.End(.finished)
        return record
    }

    private func values(_ paths: [String], in commit: ObjectID, _ warnings: inout [String]) throws -> [String: JSON] {
        try ValueFile.read(paths, in: commit, of: repository) { warnings.append("\(commit.short): \($0)") }
    }

    private struct Lock {
        var params: [String: JSON] = [:]
        /// Files that a stage declares as its metrics.
        var metrics: [String] = []
        var command: [String] = []
    }

    /// What `dvc.lock` and `dvc.yaml` tell: the command of the last stage, parameters of stages, metrics files.
    private func lock(in commit: ObjectID, _ warnings: inout [String]) throws -> Lock {
        var lock = Lock()
        for path in ["dvc.lock", "dvc.yaml"] {
            guard let bytes = try repository.file(path, in: commit) else { continue }
            let node: JSON
            do {
                node = try YAMLNode.parse(String(decoding: bytes, as: UTF8.self), file: path).json
            } catch {
                warnings.append("\(commit.short): \(error)")
                continue
            }
            for stage in node["stages"]?.members ?? [] {
                if path == "dvc.lock" {
                    if let command = stage.value["cmd"]?.string { lock.command = [command] }
                    for file in stage.value["params"]?.members ?? [] {
                        lock.params.merge(ValueFile.flat(file.value)) { $1 }
                    }
                } else {
                    lock.metrics += Self.paths(stage.value["metrics"])
                }
            }
            if path == "dvc.yaml" { lock.metrics += Self.paths(node["metrics"]) }
        }
        return lock
    }

    /// The paths of a list whose items are a path, or a path with options.
    private static func paths(_ list: JSON?) -> [String] {
        (list?.array ?? []).compactMap { $0.string ?? $0.members?.first?.key }
    }
}
