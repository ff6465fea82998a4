internal import Base
public import GitKit
public import SystemPackage

/// Reads MLflow's file store: `mlruns/<experiment>/<run>/` with `meta.yaml`, `params`, `metrics`, `tags`, `artifacts`.
///
/// Runs keep their ids. Runs that go on, deleted ones, and those of deleted experiments are left out.
/// - SeeAlso: MLflow's `mlflow/store/tracking/file_store.py`
public struct MLflowFileStore: Sendable {
    /// A run's folder that was found.
    public struct RunFolder: Sendable {
        public let path: FilePath
        public let id: String
        /// The experiment's folder.
        public let experiment: FilePath
    }

    public let root: FilePath

    public init(_ root: FilePath) { self.root = root }

    /// Whether a folder is a file store: some folder in it is an experiment.
    public static func isStore(_ root: FilePath) -> Bool {
        guard let names = try? Files.list(root) else { return false }
        return names.prefix(1000).contains { name in
            name != ".trash" && Files.exists(root.appending(name).appending("meta.yaml"))
        }
    }

    /// The folders of runs, without looking into them: those whose name is an id.
    public func runFolders() throws -> [RunFolder] {
        try Files.list(root).filter { !$0.hasPrefix(".") && $0 != "models" }.flatMap { name -> [RunFolder] in
            let experiment = root.appending(name)
            guard Files.status(experiment)?.kind == .directory else { return [] }
            return try Files.list(experiment).filter { UUIDv7($0) != nil }.map {
                RunFolder(path: experiment.appending($0), id: $0, experiment: experiment)
            }
        }
    }

    /// Reads all runs; `store` takes in their artifacts.
    public func read(code: ObjectID, store: any KeptContent) throws -> FoundContent {
        var content = FoundContent()
        var reader = Reader(self)
        for folder in try runFolders() {
            content.attempt(label(folder.path)) { content in
                let found = try reader.read(folder, code: code, store: store)
                content.warnings += found.warnings
                if let record = found.record { content.records.append(record) }
            }
        }
        return content
    }

    /// A path as messages show it: from the store's own folder on.
    func label(_ path: FilePath) -> String {
        let name = root.lastComponent?.string ?? "mlruns"
        let parts = path.components.dropFirst(root.components.count).map(\.string)
        return ([name] + parts).joined(separator: "/")
    }

    /// Reads runs one after the other and remembers what several share: experiments, and which models a run logged.
    public struct Reader {
        private let store: MLflowFileStore
        private var experiments: [FilePath: Experiment] = [:]

        public init(_ store: MLflowFileStore) { self.store = store }

        private struct Experiment {
            var name: String?
            var isDeleted = false
            /// The folders of the models that each run has logged (MLflow 3).
            var models: [String: [(name: String, artifacts: FilePath)]] = [:]
        }

        /// A run, or why there is none: it goes on, or was deleted.
        public struct Found: Sendable {
            public var record: RunRecord?
            public var warnings: [String] = []
            /// It goes on: look again when its `meta.yaml` has changed.
            public var isRunning = false
        }

        /// Reads one run.
        public mutating func read(_ folder: RunFolder, code: ObjectID, store content: any KeptContent) throws -> Found {
            let experiment = try experiment(folder.experiment)
            guard !experiment.isDeleted, let meta = try MLflowMeta(folder.path, label: store.label(folder.path)) else {
                return Found()
            }
            guard !meta.isDeleted else { return Found() }
            guard let end = meta.end else { return Found(isRunning: true) }
            var files = MLflowRunFiles(folder.path, label: store.label(folder.path))
            guard let id = UUIDv7(folder.id) else { return Found() }
            var record = RunRecord(run: id, started: meta.started, code: code, source: .imported)
            record.name = meta.name
            record.user = meta.user
            record.experiment = experiment.name
            record.params = Secrets.masked(try files.values("params"))
            record.take(tags: try files.values("tags"))
            for (key, points) in try files.metrics() {
                if key.hasPrefix("system/") { record.systemSeries[key] = points } else { record.series[key] = points }
            }
            record.end = end
            record.outputs = try files.artifacts(content)
            for model in experiment.models[folder.id] ?? [] {
                record.outputs += try files.items(below: model.artifacts, as: model.name + "/", .model, content)
            }
            record.observed = max(meta.changed, files.changed)
            return Found(record: record, warnings: files.warnings)
        }

        private mutating func experiment(_ path: FilePath) throws -> Experiment {
            if let known = experiments[path] { return known }
            var experiment = Experiment()
            if let node = try MLflowMeta.node(path, label: store.label(path)) {
                experiment.name = node["name"]?.string
                experiment.isDeleted = node["lifecycle_stage"]?.string == "deleted"
            }
            let models = path.appending("models")
            for name in try Files.list(models) {
                // A model that cannot be read is no reason to lose the run.
                guard let node = try? MLflowMeta.node(models.appending(name), label: name),
                    let run = node["source_run_id"]?.string
                else { continue }
                let artifacts = models.appending(name).appending("artifacts")
                let title = node["name"]?.string.flatMap { FilePath.Component($0) == nil ? nil : $0 } ?? name
                let isTaken = experiment.models[run]?.contains { $0.name == title } ?? false
                experiment.models[run, default: []].append((isTaken ? name : title, artifacts))
            }
            experiments[path] = experiment
            return experiment
        }
    }
}

extension RunRecord {
    /// Tags that are members of a run here become those; the others stay tags.
    public mutating func take(tags all: [String: String]) {
        var tags = all
        name = tags.removeValue(forKey: Run.nameTag) ?? name
        user = tags.removeValue(forKey: "mlflow.user") ?? user
        if let parent = tags["mlflow.parentRunId"], UUIDv7(parent) != nil {
            self.parent = parent
            tags["mlflow.parentRunId"] = nil
        }
        if let program = tags["mlflow.source.name"], !program.isEmpty, program != "-" {
            command = Secrets.masked(arguments: [program])
        }
        self.tags = Secrets.masked(tags)
    }
}
