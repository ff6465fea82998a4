internal import Base
internal import GitKit
internal import Runs

/// A run as MLflow's clients read it.
extension MLflowAPI {
    /// Tags that are ours, and stand for something else in the API.
    private static let hidden: Set<String> = [inputsTag, outputsTag]
    static let inputsTag = "git-ml.mlflow.inputs"
    static let outputsTag = "git-ml.mlflow.outputs"

    static func artifactURI(_ run: String, _ experiment: String) -> String {
        "mlflow-artifacts:/\(experiment)/\(run)/artifacts"
    }

    /// With what it read and made.
    func whole(_ run: Run, in experiments: Experiments) async throws -> JSON {
        json(run, in: experiments, inputs: try await datasets(of: run))
    }

    func json(_ run: Run, in experiments: Experiments, inputs: [JSON]?) -> JSON {
        let metrics = run.metrics.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { key, value in
            JSON.object([
                JSON.Member("key", .string(key)), JSON.Member("value", .metric(value.last)),
                JSON.Member("timestamp", .int((value.at ?? run.started).milliseconds)),
                JSON.Member("step", .int(value.step)),
            ])
        }
        let models = Self.list(run.tags[Self.inputsTag])
        let made = Self.list(run.tags[Self.outputsTag])
        return [
            "info": info(run, in: experiments),
            "data": .present([
                ("metrics", metrics.isEmpty ? nil : .array(metrics)), ("params", .pairs(run.params)),
                ("tags", .pairs(Self.tags(of: run))),
            ]),
            "inputs": .present([
                ("dataset_inputs", inputs.flatMap { $0.isEmpty ? nil : .array($0) }),
                ("model_inputs", models.isEmpty ? nil : .array(models)),
            ]),
            "outputs": .present([("model_outputs", made.isEmpty ? nil : .array(made))]),
        ]
    }

    static func list(_ text: String?) -> [JSON] {
        text.flatMap { try? JSON.parse($0) }?.array ?? []
    }

    func info(_ run: Run, in experiments: Experiments) -> JSON {
        let experiment = experiments.id(of: run)
        var status =
            switch run.status {
            case "finished": "FINISHED"
            case "failed": "FAILED"
            case "killed": "KILLED"
            default: "RUNNING"
            }
        if let session, session.run == run.id, let said = session.status { status = said }
        let end = run.status == "running" ? nil : run.seconds.map { run.started.advanced(bySeconds: $0) }
        return .present([
            ("run_uuid", .string(run.id)), ("experiment_id", .string(experiment)),
            ("run_name", .string(run.name ?? run.id)), ("user_id", .string(run.user ?? "")),
            ("status", .string(status)), ("start_time", .int(run.started.milliseconds)),
            ("end_time", end.map { .int($0.milliseconds) }),
            ("artifact_uri", .string(Self.artifactURI(run.id, experiment))),
            ("lifecycle_stage", run.isDeleted || experiments.isDeleted(run) ? "deleted" : "active"),
            ("run_id", .string(run.id)),
        ])
    }

    /// The tags of a run; what we have as its members, MLflow has as tags.
    static func tags(of run: Run) -> [String: String] {
        var tags = run.tags.filter { !hidden.contains($0.key) }
        tags[Run.nameTag] = run.name ?? run.id
        tags["mlflow.user"] = run.user
        tags["mlflow.parentRunId"] = run.parent
        if run.source != RunRecord.Source.mlflow.rawValue {
            tags["mlflow.source.git.commit"] = tags["mlflow.source.git.commit"] ?? run.commit.hex
            tags["mlflow.source.type"] = tags["mlflow.source.type"] ?? "LOCAL"
            if tags["mlflow.source.name"] == nil, !run.command.isEmpty {
                tags["mlflow.source.name"] = run.command.joined(separator: " ")
            }
        }
        return tags
    }
}
