internal import Base
internal import GitKit
internal import Models
internal import Runs

/// Registered models. A model made here is a line of the registry's notes; its versions, aliases and stages are tags.
extension MLflowAPI {
    static let modelEndpoints: [String: Endpoint] = [
        "POST registered-models/create": { try $0.createModel($1) },
        "GET registered-models/get": { api, call in
            .json(["registered_model": try api.registeredModel(call.required("name")).json])
        },
        "PATCH registered-models/update": { try $0.updateModel($1) },
        "POST registered-models/rename": { try await $0.renameModel($1) },
        "DELETE registered-models/delete": { try await $0.deleteModel($1) },
        "GET registered-models/search": { try $0.searchModels($1) },
        "GET registered-models/get-latest-versions": { try $0.latestVersions($1) },
        "POST registered-models/get-latest-versions": { try $0.latestVersions($1) },
        "POST registered-models/set-tag": { try $0.tagModel($1) },
        "DELETE registered-models/delete-tag": { try $0.untagModel($1) },
        "POST registered-models/alias": { try await $0.setAlias($1) },
        "DELETE registered-models/alias": { try await $0.deleteAlias($1) },
        "GET registered-models/alias": { try $0.getAlias($1) },
    ]

    // MARK: Finding

    func tags() throws -> Registry { try Registry(repository, allowLight: project().allowsLightTags) }

    /// The `ml.yaml` that holds here: the work tree's, in a bare repository that of HEAD.
    private func project() throws -> Project {
        if repository.workTree != nil { return try Project.inWorkTree(of: repository) }
        return try repository.head().flatMap { try Project.at($0, in: repository) } ?? Project()
    }

    /// Where a model lies at a commit, as `ml.yaml` or `artifacts.yaml` says; else where the API puts it.
    func path(of model: ModelName, at commit: ObjectID) throws -> String? {
        let own = try? Project.at(commit, in: repository)?.models[model]?.path
        return try own ?? project().models[model]?.path ?? tags().models[model]?.artifact?.path
            ?? "models/" + model.description.replacing(":", with: "/")
    }

    /// A name for a model that can stand in a tag.
    func modelName(_ text: String) throws -> ModelName {
        guard !text.contains(where: { $0 == "/" || $0 == ":" }) else {
            throw MLflowFailure.invalid("Invalid model name '\(text)'. Names cannot contain '/' or ':'.")
        }
        guard let name = ModelName(text) else {
            throw MLflowFailure.invalid(
                "Invalid model name '\(text)'. Names become git tags: letters, digits, - and _, a letter or digit first and last."
            )
        }
        return name
    }

    func registeredModel(_ text: String) throws -> RegisteredModel {
        guard let name = ModelName(text), let model = RegisteredModel(name, try tags(), try registry.fold()) else {
            throw MLflowFailure.missing("Registered Model with name=\(text) not found")
        }
        return model
    }

    func version(_ name: String, _ number: Int64) throws -> RegisteredVersion {
        let model = ModelName(name).flatMap { name in (try? registeredModel(name.description)) }
        guard let version = model?.versions.first(where: { $0.number == number }) else {
            throw MLflowFailure.missing("Model Version (name=\(name), version=\(number)) not found")
        }
        return version
    }

    // MARK: Changing

    private func record(_ name: ModelName, _ members: [(String, JSON?)]) throws {
        try registry.add("model", [("model", .string(name.description))] + members)
    }

    private func createModel(_ call: Call) throws -> Answer {
        let name = try modelName(call.required("name"))
        guard RegisteredModel(name, try tags(), try registry.fold()) == nil else {
            throw MLflowFailure(.exists, "Registered Model (name=\(name)) already exists.")
        }
        try record(
            name,
            [
                ("description", try call.text("description").map { .string($0) }),
                ("set", .sorted(try Self.exactTags(call.list("tags"), value: 100_000))), ("deleted", false),
            ])
        return .json(["registered_model": try registeredModel(name.description).json])
    }

    private func updateModel(_ call: Call) throws -> Answer {
        let model = try registeredModel(call.required("name"))
        try record(model.name, [("description", .string(try call.text("description") ?? "")), ("deleted", false)])
        return .json(["registered_model": try registeredModel(model.name.description).json])
    }

    /// Gives the versions and aliases of a model to another name; the old one's tags are taken back, by tags.
    private func renameModel(_ call: Call) async throws -> Answer {
        let model = try registeredModel(call.required("name"))
        let name = try modelName(call.required("new_name"))
        guard RegisteredModel(name, try tags(), try registry.fold()) == nil else {
            throw MLflowFailure(.exists, "Registered Model (name=\(name)) already exists.")
        }
        try record(
            name,
            [
                ("description", model.described?.description.map { .string($0) }), ("set", .sorted(model.tags)),
                ("deleted", false),
            ])
        for version in model.versions {
            let described = version.described
            try registry.add(
                "version",
                [
                    ("model", .string(name.description)), ("version", .int(version.number)),
                    ("source", .string(version.source)), ("run", described?.run.map { .string($0) }),
                    ("logged_model", described?.loggedModel.map { .string($0) }),
                    ("description", described?.description.map { .string($0) }),
                    ("set", .sorted(described?.tags ?? [:])),
                ])
            try await tag(name, .register(version.version.version), on: version.commit)
            for stage in version.aliases + [version.stage].filter({ $0 != "None" }) {
                try await tag(name, .assign(stage: stage), on: version.commit)
            }
        }
        try await takeBack(model)
        return .json(["registered_model": try registeredModel(name.description).json])
    }

    private func takeBack(_ model: RegisteredModel) async throws {
        for version in model.versions { try await takeBack(version) }
        try record(model.name, [("deleted", true)])
    }

    /// Ends the assignments of a version and deregisters it.
    func takeBack(_ version: RegisteredVersion) async throws {
        for stage in version.aliases + [version.stage].filter({ $0 != "None" }) {
            try await tag(version.model, .unassign(stage: stage), on: version.commit)
        }
        try await tag(version.model, .deregister(version.version.version), on: version.commit)
    }

    private func deleteModel(_ call: Call) async throws -> Answer {
        try await takeBack(registeredModel(call.required("name")))
        return .nothing
    }

    private func tagModel(_ call: Call) throws -> Answer {
        let model = try registeredModel(call.required("name"))
        let key = try call.required("key")
        try Names.check(key, path: "key", what: "key", limit: 250)
        let value = try call.text("value") ?? ""
        try Names.checkLength(value, "value", 100_000)
        try record(model.name, [("set", .sorted([key: value])), ("deleted", false)])
        return .nothing
    }

    private func untagModel(_ call: Call) throws -> Answer {
        let model = try registeredModel(call.required("name"))
        let key = try call.required("key")
        if model.tags[key] != nil { try record(model.name, [("unset", [.string(key)]), ("deleted", false)]) }
        return .nothing
    }

    // MARK: Looking

    private func searchModels(_ call: Call) throws -> Answer {
        let limit = try call.limit(100, most: 1000)
        let offset = try PageToken.offset(call.text("page_token"))
        let filter = try MLflowFilter(call.text("filter"))
        try SearchRules.models.check(filter)
        let (registry, fold) = (try tags(), try registry.fold())
        let names = Set(registry.models.keys).union(fold.models.keys.compactMap { ModelName($0) })
        let models = names.compactMap { RegisteredModel($0, registry, fold) }.filter { model in
            filter.comparisons.allSatisfy { comparison in
                switch (comparison.kind, comparison.key) {
                case (.attribute, "name"): comparison.holds(.text(model.name.description))
                case (.tag, let key):
                    // A model without the tag is no prompt.
                    model.tags[key] == nil && comparison.comparator == "!=" && key == "mlflow.prompt.is_prompt"
                        || comparison.holds(model.tags[key].map { .text($0) })
                default: false
                }
            }
        }
        let order = try call.texts("order_by").map { try OrderKey($0) } + [OrderKey("name ASC")]
        let sorted = try OrderKey.sorted(models, order, id: \.name.description) { model, key in
            switch key.key {
            case "name": return .text(model.name.description)
            case "last_updated_timestamp", "timestamp": return .number(Double(model.updated.milliseconds))
            default:
                throw MLflowFailure.invalid(
                    "Invalid order by key '\(key.key)' specified. Valid keys are '{'name', 'timestamp'}'")
            }
        }
        return .json(
            Page(Array(sorted.dropFirst(offset)), limit: limit, offset: offset).json("registered_models", \.json))
    }

    private func latestVersions(_ call: Call) throws -> Answer {
        let model = try registeredModel(call.required("name"))
        let stages = try call.texts("stages").map { try Self.stage($0) }
        let latest = model.latest(stages).map(\.json)
        return .json(latest.isEmpty ? [:] : ["model_versions": .array(latest)])
    }

    /// One of MLflow's stages, however it is written.
    static func stage(_ text: String) throws -> String {
        guard let stage = (["None"] + RegisteredVersion.stages).first(where: { $0.lowercased() == text.lowercased() })
        else {
            throw MLflowFailure.invalid(
                "Invalid Model Version stage: \(text). Value must be one of None, Staging, Production, Archived.")
        }
        return stage
    }

    // MARK: Aliases

    private func alias(_ call: Call) throws -> String {
        let alias = try call.required("alias")
        guard alias.utf8.allSatisfy({ Call.isWord($0) || $0 == 0x2d }) else {
            throw MLflowFailure.invalid(
                "Invalid alias name: '\(alias)'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
            )
        }
        try Names.checkLength(alias, "Registered model alias name", 255)
        return alias
    }

    private func setAlias(_ call: Call) async throws -> Answer {
        let name = try call.required("name")
        let alias = try alias(call)
        if alias.lowercased() == "latest" {
            throw MLflowFailure.invalid("'latest' alias name (case insensitive) is reserved.")
        }
        if alias.first?.lowercased() == "v", alias.dropFirst().allSatisfy(\.isNumber), alias.count > 1 {
            throw MLflowFailure.invalid("Version alias name '\(alias)' is reserved.")
        }
        let version = try version(name, number(call))
        guard ModelTag("\(version.model.inTag)#\(alias)#1") != nil, !RegisteredVersion.stages.contains(alias) else {
            throw MLflowFailure.invalid(
                "Invalid alias name: '\(alias)'. Aliases become git tags: a letter or digit first and last, and none of"
                    + " MLflow's stages.")
        }
        if !version.aliases.contains(alias) {
            try await tag(version.model, .assign(stage: alias), on: version.commit)
        }
        return .nothing
    }

    private func deleteAlias(_ call: Call) async throws -> Answer {
        let model = try registeredModel(call.required("name"))
        let alias = try alias(call)
        for version in model.versions where version.aliases.contains(alias) {
            try await tag(model.name, .unassign(stage: alias), on: version.commit)
        }
        return .nothing
    }

    private func getAlias(_ call: Call) throws -> Answer {
        let model = try registeredModel(call.required("name"))
        let alias = try alias(call)
        guard let version = model.versions.last(where: { $0.aliases.contains(alias) }) else {
            throw MLflowFailure.invalid("Registered model alias \(alias) not found.")
        }
        return .json(["model_version": version.json])
    }

    /// The number of a version in a request.
    func number(_ call: Call) throws -> Int64 {
        let text = try call.text("version") ?? ""
        if text.isEmpty { throw Call.missing("version") }
        guard let number = Int64(text) else {
            throw MLflowFailure.invalid("Parameter 'version' must be an integer, got '\(text)'.")
        }
        return number
    }
}
