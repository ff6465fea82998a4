internal import Base
internal import GitKit
internal import Synchronization

/// What belongs to no commit: experiments, what is said of registered models and their versions, logged models, webhooks.
///
/// Lines of `refs/notes/ml/registry` on the empty tree. Each line is in git before anybody is told of it; what other servers
/// and other clones have added is seen at the next look.
final class RegistryEvents: Sendable {
    static let ref = "refs/notes/ml/registry"

    private let repository: Repository
    private let notes: Notes
    private let state = Mutex<(head: ObjectID?, fold: RegistryFold)>((nil, RegistryFold()))

    init(_ repository: Repository) {
        self.repository = repository
        notes = Notes(Self.ref, in: repository)
    }

    /// The state of everything, as the lines have it now.
    func fold() throws -> RegistryFold {
        let head = try repository.ref(Self.ref)
        return try state.withLock { state in
            if state.head != head {
                state.fold = RegistryFold(try notes.lines(on: repository.emptyTree))
                state.head = head
            }
            return state.fold
        }
    }

    /// Adds one line, later than all there are.
    func add(_ kind: String, _ members: [(String, JSON?)]) throws {
        let last = try fold().last
        let time = max(Timestamp.now(), Timestamp(microseconds: last.microseconds + 1))
        let head: [(String, JSON?)] = [("t", .string(time.description)), ("ev", .string(kind))]
        let line = JSON.present(head + members).description
        try notes.add([repository.emptyTree: [line]], message: "registry: \(kind)")
    }
}

/// The fold of the lines.
struct RegistryFold: Sendable {
    struct Experiment: Sendable {
        let id: String
        var name: String
        /// All the names that it ever had.
        var names: Set<String>
        var tags: [String: String] = [:]
        var isDeleted = false
        var created: Timestamp
        var updated: Timestamp
    }

    /// What is said of a registered model, or of a version of one, besides its tags in git.
    struct Described: Sendable {
        var created: Timestamp
        var updated: Timestamp
        var description: String?
        var tags: [String: String] = [:]
        var isDeleted = false
        /// Of versions: where the model came from.
        var source: String?
        var run: String?
        var loggedModel: String?
        var link: String?
    }

    struct VersionKey: Hashable, Sendable {
        let model: String
        let version: Int64
    }

    struct LoggedModel: Sendable {
        let id: String
        var experiment: String
        var name: String
        var run: String?
        var type = ""
        var status = "LOGGED_MODEL_PENDING"
        var params: [String: String] = [:]
        var tags: [String: String] = [:]
        var metrics: [JSON] = []
        var files: [String: (digest: Digest, size: Int64)] = [:]
        var isDeleted = false
        var created: Timestamp
        var updated: Timestamp
    }

    var experiments: [String: Experiment] = [:]
    var models: [String: Described] = [:]
    var versions: [VersionKey: Described] = [:]
    var logged: [String: LoggedModel] = [:]
    var last = Timestamp(microseconds: 0)

    init() {}

    init(_ lines: [String]) {
        for line in Set(lines).sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            guard let json = try? JSON.parse(line), let time = json["t"]?.string.flatMap({ Timestamp($0) }) else {
                continue
            }
            last = max(last, time)
            switch json["ev"]?.string {
            case "experiment": takeExperiment(json, time)
            case "model": takeModel(json, time)
            case "version": takeVersion(json, time)
            case "logged-model": takeLogged(json, time)
            default: break
            }
        }
    }

    private mutating func takeExperiment(_ json: JSON, _ time: Timestamp) {
        guard let id = json["id"]?.string, let name = json["name"]?.string else { return }
        var experiment =
            experiments[id] ?? Experiment(id: id, name: name, names: [], created: time, updated: time)
        experiment.name = name
        experiment.names.insert(name)
        Self.change(&experiment.tags, json)
        experiment.isDeleted = json["deleted"]?.bool ?? experiment.isDeleted
        experiment.updated = time
        experiments[id] = experiment
    }

    private mutating func takeModel(_ json: JSON, _ time: Timestamp) {
        guard let name = json["model"]?.string else { return }
        var model = models[name] ?? Described(created: time, updated: time)
        // One that is made anew after it was deleted has nothing of the old one.
        if model.isDeleted, json["deleted"]?.bool == false { model = Described(created: time, updated: time) }
        Self.change(&model, json, time)
        models[name] = model
    }

    private mutating func takeVersion(_ json: JSON, _ time: Timestamp) {
        guard let name = json["model"]?.string, let version = json["version"]?.int else { return }
        let key = VersionKey(model: name, version: version)
        var described = versions[key] ?? Described(created: time, updated: time)
        Self.change(&described, json, time)
        described.source = json["source"]?.string ?? described.source
        described.run = json["run"]?.string ?? described.run
        described.loggedModel = json["logged_model"]?.string ?? described.loggedModel
        described.link = json["link"]?.string ?? described.link
        versions[key] = described
    }

    private mutating func takeLogged(_ json: JSON, _ time: Timestamp) {
        guard let id = json["id"]?.string else { return }
        var model =
            logged[id]
            ?? LoggedModel(
                id: id, experiment: json["experiment"]?.string ?? "0", name: json["name"]?.string ?? "", created: time,
                updated: time)
        model.run = json["run"]?.string ?? model.run
        model.type = json["type"]?.string ?? model.type
        model.status = json["status"]?.string ?? model.status
        model.params.merge(json["params"]?.texts ?? [:]) { $1 }
        Self.change(&model.tags, json)
        for metric in json["metrics"]?.array ?? [] where !model.metrics.contains(metric) {
            model.metrics.append(metric)
        }
        for file in json["files"]?.array ?? [] {
            guard let path = file["path"]?.string, let digest = file["oid"]?.string.flatMap({ Digest($0) }) else {
                continue
            }
            model.files[path] = (digest, file["size"]?.int ?? 0)
        }
        model.isDeleted = json["deleted"]?.bool ?? model.isDeleted
        model.updated = time
        logged[id] = model
    }

    private static func change(_ described: inout Described, _ json: JSON, _ time: Timestamp) {
        described.description = json["description"]?.string ?? described.description
        described.isDeleted = json["deleted"]?.bool ?? described.isDeleted
        change(&described.tags, json)
        described.updated = time
    }

    private static func change(_ tags: inout [String: String], _ json: JSON) {
        tags.merge(json["set"]?.texts ?? [:]) { $1 }
        for key in json["unset"]?.array ?? [] { if let key = key.string { tags[key] = nil } }
    }
}
