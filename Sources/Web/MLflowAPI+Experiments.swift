internal import Base
internal import GitKit
internal import Runs

extension MLflowAPI {
    static let experimentEndpoints: [String: Endpoint] = [
        "POST experiments/create": { try $0.createExperiment($1) },
        "GET experiments/get": { try $0.getExperiment($1) },
        "GET experiments/get-by-name": { try $0.getExperimentByName($1) },
        "GET experiments/search": { try $0.searchExperiments($1) },
        "POST experiments/search": { try $0.searchExperiments($1) },
        "POST experiments/update": { try $0.updateExperiment($1) },
        "POST experiments/delete": { try $0.setExperimentDeleted($1, true) },
        "POST experiments/restore": { try $0.setExperimentDeleted($1, false) },
        "POST experiments/set-experiment-tag": { try $0.tagExperiment($1) },
        "POST experiments/delete-experiment-tag": { try $0.untagExperiment($1) },
        "POST experiments/search-datasets": { try await $0.searchDatasets($1) },
    ]

    // MARK: Which there are

    /// All experiments: those that events tell of, those that runs name, and `Default`.
    func experiments() throws -> Experiments {
        var names = try ledger.recorded().experimentNames()
        for id in try ledger.journal.runs() {
            if let name = try ledger.liveRun(id).outline()?.experiment { names.insert(name) }
        }
        return Experiments(try registry.fold(), named: names)
    }

    /// The experiments as far as one run needs them; cheaper than all.
    func experiments(for run: Run) throws -> Experiments {
        Experiments(try registry.fold(), named: Set([run.experiment].compactMap { $0 }))
    }

    /// An experiment by its id, without looking at runs where an event tells of it.
    func experiment(_ id: String) throws -> RegistryFold.Experiment {
        guard id.utf8.allSatisfy({ Call.isWord($0) || $0 == 0x2d }), id.utf8.count <= 64 else {
            throw MLflowFailure.invalid("Invalid experiment ID: '\(id)'")
        }
        guard Int64(id) != nil else {
            throw MLflowFailure.invalid("Invalid experiment ID '\(id)'. Experiment ID must be a valid integer.")
        }
        let known = try registry.fold().experiments[id]
        guard let experiment = try known ?? experiments().byID[id] else {
            throw MLflowFailure.missing("No Experiment with id=\(id) exists")
        }
        return experiment
    }

    func activeExperiment(_ id: String) throws -> RegistryFold.Experiment {
        let experiment = try experiment(id)
        guard !experiment.isDeleted else {
            throw MLflowFailure.invalid(
                "The experiment \(id) must be in the 'active' state. Current state is deleted.")
        }
        return experiment
    }

    // MARK: Endpoints

    private func createExperiment(_ call: Call) throws -> Answer {
        let name = try call.required("name")
        try Names.checkLength(name, "name", 500)
        if let place = try call.text("artifact_location"), place.hasPrefix("runs:") {
            throw MLflowFailure.invalid("Artifact location cannot be a runs:/ URI. Given: '\(place)'")
        }
        if let place = try call.text("artifact_location"), place.contains("#") || place.contains(";") {
            throw MLflowFailure.invalid("'artifact_location' URL can't include fragments or params.")
        }
        let id = MLflowWriter.experimentID(name)
        let known = try experiments()
        guard known.byName[name] == nil, known.byID[id] == nil else {
            throw MLflowFailure(.exists, "Experiment(name=\(name)) already exists.")
        }
        try record(
            RegistryFold.Experiment(
                id: id, name: name, names: [name], created: .now(), updated: .now()),
            set: Self.exactTags(call.list("tags"), value: 20_000))
        return .json(["experiment_id": .string(id)])
    }

    private func record(_ experiment: RegistryFold.Experiment, set: [String: String] = [:], unset: [String] = []) throws
    {
        try registry.add(
            "experiment",
            [
                ("id", .string(experiment.id)), ("name", .string(experiment.name)), ("set", .sorted(set)),
                ("unset", unset.isEmpty ? nil : .array(unset.map { .string($0) })),
                ("deleted", .bool(experiment.isDeleted)),
            ])
    }

    private func getExperiment(_ call: Call) throws -> Answer {
        .json(["experiment": Self.json(try experiment(call.required("experiment_id")))])
    }

    private func getExperimentByName(_ call: Call) throws -> Answer {
        let name = try call.required("experiment_name")
        guard let experiment = try experiments().byName[name] else {
            throw MLflowFailure.missing("Could not find experiment with name '\(name)'")
        }
        return .json(["experiment": Self.json(experiment)])
    }

    private func updateExperiment(_ call: Call) throws -> Answer {
        var experiment = try experiment(call.required("experiment_id"))
        let name = try call.required("new_name")
        try Names.checkLength(name, "name", 500)
        guard !experiment.isDeleted else { throw MLflowFailure(.state, "Cannot rename a non-active experiment.") }
        if let other = try experiments().byName[name], other.id != experiment.id {
            throw MLflowFailure(.exists, "Experiment(name=\(name)) already exists.")
        }
        experiment.name = name
        try record(experiment)
        return .nothing
    }

    private func setExperimentDeleted(_ call: Call, _ isDeleted: Bool) throws -> Answer {
        var experiment = try experiment(call.required("experiment_id"))
        guard experiment.isDeleted != isDeleted else {
            throw MLflowFailure.missing("No Experiment with id=\(experiment.id) exists")
        }
        experiment.isDeleted = isDeleted
        try record(experiment)
        return .nothing
    }

    private func tagExperiment(_ call: Call) throws -> Answer {
        let experiment = try activeExperiment(call.required("experiment_id"))
        let key = try call.required("key")
        try Names.check(key, path: "key", what: "key", limit: 250)
        let value = try call.text("value") ?? ""
        try Names.checkLength(value, "value", 20_000)
        try record(experiment, set: [key: value])
        return .nothing
    }

    private func untagExperiment(_ call: Call) throws -> Answer {
        let experiment = try activeExperiment(call.required("experiment_id"))
        let key = try call.required("key")
        guard experiment.tags[key] != nil else {
            throw MLflowFailure.missing("No tag with name: \(key) in experiment with id \(experiment.id)")
        }
        try record(experiment, unset: [key])
        return .nothing
    }

    private func searchExperiments(_ call: Call) throws -> Answer {
        let limit = try call.limit(1000, most: 50_000)
        let offset = try PageToken.offset(call.text("page_token"))
        let filter = try MLflowFilter(call.text("filter"))
        try SearchRules.experiments.check(filter)
        let states = try ViewType(call).deleted
        let chosen = try experiments().byID.values.filter { experiment in
            try states.contains(experiment.isDeleted)
                && filter.matches { try Self.value(of: experiment, $0.kind, $0.key) }
        }
        let order = try call.texts("order_by").map { try OrderKey($0) }
        let keys = order.isEmpty ? [try OrderKey("last_update_time DESC")] : order
        let sorted = try OrderKey.sorted(Array(chosen), keys, id: \.id) { try Self.value(of: $0, $1.kind, $1.key) }
        return .json(
            Page(Array(sorted.dropFirst(offset)), limit: limit, offset: offset).json("experiments", Self.json))
    }

    private static func value(of experiment: RegistryFold.Experiment, _ kind: MLflowFilter.Kind, _ key: String) throws
        -> MLflowFilter.Value?
    {
        switch (kind, key) {
        case (.tag, let key): experiment.tags[key].map { .text($0) }
        case (.attribute, "name"): .text(experiment.name)
        case (.attribute, "experiment_id"): .text(experiment.id)
        case (.attribute, "creation_time"): .number(Double(experiment.created.milliseconds))
        case (.attribute, "last_update_time"): .number(Double(experiment.updated.milliseconds))
        default: throw SearchRules.experiments.unknown(key)
        }
    }

    private func searchDatasets(_ call: Call) async throws -> Answer {
        let ids = try call.texts("experiment_ids")
        guard !ids.isEmpty else {
            throw MLflowFailure.invalid("SearchDatasets request must specify at least one experiment_id.")
        }
        guard ids.count <= 20 else {
            throw MLflowFailure.invalid(
                "SearchDatasets request cannot specify more than 20 experiment_ids. Received \(ids.count) experiment_ids."
            )
        }
        var query = RunQuery()
        query.filter = try Filter(experiments().condition(ids, deleted: [false, true]) ?? "run = ''")
        var seen: Set<JSON> = []
        for run in try ledger.store().runs(query) {
            for dataset in try await datasets(of: run) {
                let id = try experiments().id(of: run)
                let summary = JSON.present([
                    ("experiment_id", .string(id)), ("name", dataset["dataset"]?["name"]),
                    ("digest", dataset["dataset"]?["digest"]), ("context", Self.context(dataset).map { .string($0) }),
                ])
                seen.insert(summary)
            }
        }
        let list = seen.map(\.description).sorted().compactMap { try? JSON.parse($0) }
        return .json(list.isEmpty ? [:] : ["dataset_summaries": .array(list)])
    }

    static func json(_ experiment: RegistryFold.Experiment) -> JSON {
        .present([
            ("experiment_id", .string(experiment.id)), ("name", .string(experiment.name)),
            ("artifact_location", .string("mlflow-artifacts:/\(experiment.id)")),
            ("lifecycle_stage", experiment.isDeleted ? "deleted" : "active"),
            ("last_update_time", .int(experiment.updated.milliseconds)),
            ("creation_time", .int(experiment.created.milliseconds)), ("tags", .pairs(experiment.tags)),
            ("workspace", "default"),
        ])
    }

    /// Reads a list of tags with their limits.
    ///
    /// The tags that a run begins with may have any key, as in MLflow: only those that are set later are looked at.
    static func tags(_ list: [JSON], value most: Int, anyKey: Bool = false) throws -> [String: String] {
        var tags: [String: String] = [:]
        for (i, tag) in list.enumerated() {
            guard let key = tag["key"]?.string, !key.isEmpty else { throw Call.missing("tags[\(i)].key") }
            if !anyKey { try Names.check(key, path: "tags[\(i)].key", what: "key") }
            tags[key] = Names.cut(tag["value"]?.string ?? "", most)
        }
        return tags
    }

    /// The same where a value that is too long is refused, and not cut.
    static func exactTags(_ list: [JSON], value most: Int) throws -> [String: String] {
        for tag in list { try Names.checkLength(tag["value"]?.string ?? "", "value", most) }
        return try tags(list, value: most)
    }
}

/// The experiments, by what they are asked for.
struct Experiments {
    private(set) var byID: [String: RegistryFold.Experiment]
    private(set) var byName: [String: RegistryFold.Experiment] = [:]
    /// The id of every name that an experiment ever had.
    private var ids: [String: String] = [:]

    init(_ fold: RegistryFold, named: Set<String>) {
        byID = fold.experiments
        let epoch = Timestamp(microseconds: 0)
        for experiment in byID.values {
            for name in experiment.names where name != experiment.name { ids[name] = ids[name] ?? experiment.id }
        }
        for experiment in byID.values { ids[experiment.name] = experiment.id }
        for name in named.union(["Default"]) where ids[name] == nil {
            let id = MLflowWriter.experimentID(name)
            ids[name] = id
            byID[id] =
                byID[id] ?? RegistryFold.Experiment(id: id, name: name, names: [name], created: epoch, updated: epoch)
        }
        for experiment in byID.values { byName[experiment.name] = experiment }
    }

    /// The id of the experiment that a run belongs to.
    func id(of run: Run) -> String { run.experiment.flatMap { ids[$0] } ?? "0" }

    func isDeleted(_ run: Run) -> Bool { byID[id(of: run)]?.isDeleted ?? false }

    /// A condition on runs: they belong to one of the experiments, and those are in one of the states; nil when none is.
    func condition(_ wanted: [String], deleted states: Set<Bool>) -> String? {
        let wanted = Set(wanted.filter { id in byID[id].map { states.contains($0.isDeleted) } ?? false })
        let names = ids.filter { wanted.contains($0.value) }.map(\.key).sorted()
        if names.isEmpty { return nil }
        let list = names.map { MLflowFilter.quoted($0, "'") }.joined(separator: ", ")
        return "(experiment in (\(list))" + (wanted.contains("0") ? " or experiment is null)" : ")")
    }
}

/// Which states of deletion are asked for.
enum ViewType: String {
    case active = "ACTIVE_ONLY"
    case deleted = "DELETED_ONLY"
    case all = "ALL"

    /// Reads it by its name or, as protocol buffers allow, by its number.
    init(_ call: Call, _ name: String = "view_type") throws {
        let numbers: [Int64: String] = [1: "ACTIVE_ONLY", 2: "DELETED_ONLY", 3: "ALL"]
        let text = try call.json[name]?.int.map { numbers[$0] ?? "\($0)" } ?? call.text(name) ?? "ACTIVE_ONLY"
        guard let view = ViewType(rawValue: text) else {
            throw MLflowFailure.invalid("Invalid view type '\(text)': ACTIVE_ONLY, DELETED_ONLY or ALL")
        }
        self = view
    }

    var deleted: Set<Bool> {
        switch self {
        case .active: [false]
        case .deleted: [true]
        case .all: [false, true]
        }
    }
}

/// A key to sort by: ``metrics.`a b` DESC``.
struct OrderKey {
    let kind: MLflowFilter.Kind
    let key: String
    let isDescending: Bool

    init(_ text: String) throws {
        var body = text.trimmingSpace
        var isDescending = false
        for (word, descends) in [("DESC", true), ("ASC", false)] where body.uppercased().hasSuffix(" " + word) {
            body = String(body.dropLast(word.count + 1)).trimmingSpace
            isDescending = descends
            break
        }
        guard !body.isEmpty else {
            throw MLflowFailure.invalid("Invalid order_by clause '\(text)'. Could not be parsed.")
        }
        (kind, key) = try MLflowFilter.entity(body, clause: text)
        self.isDescending = isDescending
    }

    static func sorted<T>(
        _ items: [T], _ keys: [OrderKey], id: (T) -> String, _ value: (T, OrderKey) throws -> MLflowFilter.Value?
    ) rethrows -> [T] {
        let rows = try items.map { item in (item: item, id: id(item), values: try keys.map { try value(item, $0) }) }
        return rows.sorted { a, b in
            for (i, key) in keys.enumerated() {
                switch (a.values[i], b.values[i]) {
                case (nil, nil): continue
                case (nil, _): return false
                case (_, nil): return true
                case (.number(let x)?, .number(let y)?) where x != y: return key.isDescending ? x > y : x < y
                case (.text(let x)?, .text(let y)?) where x != y: return key.isDescending ? x > y : x < y
                default: continue
                }
            }
            return a.id < b.id
        }.map(\.item)
    }
}

extension MLflowFilter {
    /// The key of an order.
    static func entity(_ text: String, clause: String) throws -> (Kind, String) {
        guard !text.contains(where: \.isWhitespace) || text.contains("`") || text.contains("\"") else {
            throw MLflowFailure.invalid("Invalid order_by clause '\(clause)'. Could not be parsed.")
        }
        return try MLflowFilterParser.entity(text)
    }
}

extension String {
    var trimmingSpace: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
