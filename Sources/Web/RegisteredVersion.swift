internal import Base
internal import GitKit
internal import Models

/// A registered version as MLflow's clients see it: a tag, and what else is said of it.
struct RegisteredVersion {
    let model: ModelName
    let number: Int64
    let version: Version
    let described: RegistryFold.Described?
    /// `None`, `Staging`, `Production` or `Archived`.
    let stage: String
    let aliases: [String]
    /// When its stage last changed.
    let staged: Timestamp?

    var commit: ObjectID { version.commit }
    var created: Timestamp { described?.created ?? version.time }
    var updated: Timestamp { max(max(created, described?.updated ?? created), staged ?? created) }
    var source: String { described?.source ?? "mlflow-artifacts:/" + folder }
    /// Where its files are when they are those of its commit.
    var folder: String { "versions/\(PercentCode.encode(model.description))/\(number)" }

    /// The stages that MLflow has; every other stage of ours is an alias.
    static let stages = ["Staging", "Production", "Archived"]

    /// The versions of a model that are not deregistered and have a number, lowest first.
    static func all(_ entry: ModelEntry, _ fold: RegistryFold) -> [RegisteredVersion] {
        entry.versions.filter { !$0.isDeregistered }.compactMap { version in
            guard let number = version.version.mlflowNumber else { return nil }
            let described = fold.versions[RegistryFold.VersionKey(model: entry.name.description, version: number)]
            var stage = "None"
            var staged: Timestamp?
            for change in entry.history where change.event.commit == version.commit {
                guard let name = change.event.stage, stages.contains(name) else { continue }
                if case .assign = change.event.tag.action { stage = name } else if stage == name { stage = "None" }
                staged = change.event.time
            }
            let aliases = entry.desired.filter { !stages.contains($0.key) && $0.value.commit == version.commit }
            return RegisteredVersion(
                model: entry.name, number: number, version: version, described: described, stage: stage,
                aliases: aliases.keys.sorted(), staged: staged)
        }.sorted { $0.number < $1.number }
    }

    var json: JSON {
        .present([
            ("name", .string(model.description)), ("version", .string("\(number)")),
            ("creation_timestamp", .int(created.milliseconds)),
            ("last_updated_timestamp", .int(updated.milliseconds)), ("current_stage", .string(stage)),
            ("description", .string(described?.description ?? "")), ("source", .string(source)),
            ("run_id", .string(described?.run ?? "")), ("status", "READY"),
            ("run_link", .string(described?.link ?? "")), ("tags", .pairs(described?.tags ?? [:])),
            ("aliases", aliases.isEmpty ? nil : .array(aliases.map { .string($0) })),
            ("model_id", described?.loggedModel.map { .string($0) }),
        ])
    }
}

/// A registered model: what is said of it, and its versions.
struct RegisteredModel {
    let name: ModelName
    let entry: ModelEntry
    let described: RegistryFold.Described?
    let versions: [RegisteredVersion]

    /// The model, if it is there: it was made through the API, or a tag registers a version of it, and it was not deleted since.
    init?(_ name: ModelName, _ registry: Registry, _ fold: RegistryFold) {
        entry = registry.models[name] ?? ModelEntry(name: name)
        described = fold.models[name.description]
        versions = RegisteredVersion.all(entry, fold)
        self.name = name
        let isThere = described.map { !$0.isDeleted } ?? false
        let isNewer = versions.contains { $0.version.time > described?.updated ?? Timestamp(microseconds: .min) }
        guard isThere || isNewer else { return nil }
    }

    var created: Timestamp { described?.created ?? versions.first?.created ?? Timestamp(microseconds: 0) }
    var updated: Timestamp { ([described?.updated ?? created] + versions.map(\.updated)).max() ?? created }
    var tags: [String: String] { described?.tags ?? [:] }

    /// The newest version in each stage.
    func latest(_ stages: [String]) -> [RegisteredVersion] {
        let wanted = stages.isEmpty ? ["None"] + RegisteredVersion.stages : stages
        return wanted.compactMap { stage in versions.last { $0.stage == stage } }
    }

    var json: JSON {
        let latest = latest([]).map(\.json)
        let aliases = versions.flatMap { version in
            version.aliases.map { ["alias": .string($0), "version": .string("\(version.number)")] as JSON }
        }
        return .present([
            ("name", .string(name.description)), ("creation_timestamp", .int(created.milliseconds)),
            ("last_updated_timestamp", .int(updated.milliseconds)),
            ("description", described?.description.map { .string($0) }),
            ("latest_versions", latest.isEmpty ? nil : .array(latest)), ("tags", .pairs(tags)),
            ("aliases", aliases.isEmpty ? nil : .array(aliases)),
        ])
    }
}
