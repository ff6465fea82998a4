internal import Base
internal import Runs

/// Logged models (MLflow 3).
extension MLflowAPI {
    func loggedModel(_ id: String) throws -> RegistryFold.LoggedModel {
        guard let model = try registry.fold().logged[id], !model.isDeleted else {
            throw MLflowFailure.missing("Logged model with ID '\(id)' not found.")
        }
        return model
    }

    func answerLoggedModels(_ call: Call) async throws -> Answer {
        let parts = call.path.split(separator: "/").dropFirst().map(String.init)
        switch (call.method, parts.count, parts.dropFirst().first) {
        case ("POST", 0, _): return try createLoggedModel(call)
        case ("POST", 1, _) where parts[0] == "search": return try searchLoggedModels(call)
        case ("GET", 1, _): return .json(["model": json(try loggedModel(parts[0]))])
        case ("PATCH", 1, _): return try finishLoggedModel(parts[0], call)
        case ("DELETE", 1, _):
            // Once more changes nothing.
            if try registry.fold().logged[parts[0]]?.isDeleted != true { try change(parts[0], [("deleted", true)]) }
            return .nothing
        case ("PATCH", 2, "tags"):
            try change(parts[0], [("set", .sorted(try Self.exactTags(call.list("tags"), value: 100_000)))])
            return .nothing
        case ("DELETE", 3, "tags"):
            guard let key = PercentCode.decode(parts[2]), try loggedModel(parts[0]).tags[key] != nil else {
                throw MLflowFailure.missing("No tag with key '\(parts[2])' found for model with ID '\(parts[0])'.")
            }
            try change(parts[0], [("unset", [.string(key)])])
            return .nothing
        case ("POST", 2, "params"):
            try change(parts[0], [("params", .sorted(Self.params(try call.list("params"))))])
            return .nothing
        case ("GET", 3, "artifacts") where parts[2] == "directories":
            let model = try loggedModel(parts[0])
            let path = try Names.artifactPath(call.text("artifact_directory_path") ?? "")
            let files = try Artifacts(api: self).list(.loggedModel(model.id, path: path), relative: false)
            return .json(
                .present([
                    ("root_uri", .string(Self.artifactURI(model))), ("files", files.isEmpty ? nil : .array(files)),
                ]))
        default: throw RouteFailure.unknown
        }
    }

    private static func params(_ list: [JSON]) -> [String: String] {
        var params: [String: String] = [:]
        for param in list { if let key = param["key"]?.string { params[key] = param["value"]?.string ?? "" } }
        return Secrets.masked(params)
    }

    private func change(_ id: String, _ members: [(String, JSON?)]) throws {
        _ = try loggedModel(id)
        try registry.add("logged-model", [("id", .string(id))] + members)
    }

    private func createLoggedModel(_ call: Call) throws -> Answer {
        let experiment = try activeExperiment(call.text("experiment_id") ?? "0")
        let id = "m-\(UUIDv7())"
        let name = try call.text("name").flatMap { $0.isEmpty ? nil : $0 } ?? RunNames.random()
        let bad = ["/", ":", ".", "%", "\"", "'"].filter { name.contains($0) }
        guard bad.isEmpty else {
            throw MLflowFailure.invalid(
                "Invalid model name ('\(name)') provided. Model name must be a non-empty string and cannot contain the"
                    + " following characters: ('/', ':', '.', '%', '\"', \"'\")")
        }
        try registry.add(
            "logged-model",
            [
                ("id", .string(id)), ("experiment", .string(experiment.id)), ("name", .string(name)),
                ("run", try call.text("source_run_id").map { .string($0) }),
                ("type", .string(try call.text("model_type") ?? "")),
                ("params", .sorted(Self.params(try call.list("params")))),
                ("set", .sorted(Secrets.masked(try Self.exactTags(call.list("tags"), value: 100_000)))),
                ("status", "LOGGED_MODEL_PENDING"),
            ])
        return .json(["model": json(try loggedModel(id))])
    }

    private func finishLoggedModel(_ id: String, _ call: Call) throws -> Answer {
        let status = try call.text("status") ?? "LOGGED_MODEL_READY"
        guard ["LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"].contains(status) else {
            throw MLflowFailure.invalid("Invalid model status: \(status)")
        }
        if try loggedModel(id).status != status { try change(id, [("status", .string(status))]) }
        return .json(["model": json(try loggedModel(id))])
    }

    private func searchLoggedModels(_ call: Call) throws -> Answer {
        guard call.json["experiment_ids"]?.array != nil else { throw Call.missing("experiment_ids") }
        let wanted = try call.int("max_results") ?? 0
        let limit = wanted > 0 ? Int(clamping: min(wanted, 50_000)) : 100
        let offset = try PageToken.offset(call.text("page_token"))
        let filter = try MLflowFilter(call.text("filter"))
        let ids = Set(try call.texts("experiment_ids"))
        let datasets = try call.list("datasets")
        if datasets.contains(where: { ($0["dataset_name"]?.string ?? "").isEmpty }) {
            throw MLflowFailure.invalid("`dataset_name` in the `datasets` clause must be specified.")
        }
        let chosen = try registry.fold().logged.values.filter { model in
            try !model.isDeleted && ids.contains(model.experiment)
                && filter.matches { try Self.value(of: model, $0.kind, $0.key) }
                && (datasets.isEmpty
                    || model.metrics.contains { metric in
                        datasets.contains { wanted in
                            wanted["dataset_name"] == metric["dataset_name"]
                                && (wanted["dataset_digest"] == nil
                                    || wanted["dataset_digest"] == metric["dataset_digest"])
                        }
                    })
        }
        var order = try call.list("order_by").map { item in
            let name = item["field_name"]?.string ?? ""
            guard ["metrics.", "params."].contains(where: name.hasPrefix) || Self.orderNames.contains(name) else {
                throw MLflowFailure.invalid("Invalid order by field name: \(name)")
            }
            return try OrderKey(name + (item["ascending"]?.bool ?? true ? " ASC" : " DESC"))
        }
        order.append(try OrderKey("creation_timestamp DESC"))
        let sorted = try OrderKey.sorted(Array(chosen), order, id: \.id) { try Self.value(of: $0, $1.kind, $1.key) }
        return .json(Page(Array(sorted.dropFirst(offset)), limit: limit, offset: offset).json("models", json))
    }

    /// The members of a logged model that can be sorted by.
    private static let orderNames: Set<String> = [
        "name", "model_id", "model_type", "status", "source_run_id", "experiment_id", "creation_timestamp",
        "creation_time", "last_updated_timestamp",
    ]

    private static func value(of model: RegistryFold.LoggedModel, _ kind: MLflowFilter.Kind, _ key: String) throws
        -> MLflowFilter.Value?
    {
        switch (kind, key) {
        case (.tag, _): model.tags[key].map { .text($0) }
        case (.param, _): model.params[key].map { .text($0) }
        case (.metric, _):
            model.metrics.last { $0["key"]?.string == key }?["value"]?.double.map { .number($0) }
        case (.attribute, "name"): .text(model.name)
        case (.attribute, "model_id"): .text(model.id)
        case (.attribute, "model_type"): .text(model.type)
        case (.attribute, "status"): .text(model.status.replacing("LOGGED_MODEL_", with: ""))
        case (.attribute, "source_run_id"): model.run.map { .text($0) }
        case (.attribute, "experiment_id"): .text(model.experiment)
        case (.attribute, "creation_timestamp"), (.attribute, "creation_time"):
            .number(Double(model.created.milliseconds))
        case (.attribute, "last_updated_timestamp"): .number(Double(model.updated.milliseconds))
        default: throw MLflowFailure.invalid("Invalid attribute key '\(key)' specified.")
        }
    }

    static func artifactURI(_ model: RegistryFold.LoggedModel) -> String {
        "mlflow-artifacts:/\(model.experiment)/models/\(model.id)/artifacts"
    }

    private func json(_ model: RegistryFold.LoggedModel) -> JSON {
        [
            "info": .present([
                ("model_id", .string(model.id)), ("experiment_id", .string(model.experiment)),
                ("name", .string(model.name)), ("creation_timestamp_ms", .int(model.created.milliseconds)),
                ("last_updated_timestamp_ms", .int(model.updated.milliseconds)),
                ("artifact_uri", .string(Self.artifactURI(model))), ("status", .string(model.status)),
                ("model_type", .string(model.type)), ("source_run_id", .string(model.run ?? "")),
                ("tags", .pairs(model.tags)),
            ]),
            "data": .present([
                ("params", .pairs(model.params)), ("metrics", model.metrics.isEmpty ? nil : .array(model.metrics)),
            ]),
        ]
    }
}
