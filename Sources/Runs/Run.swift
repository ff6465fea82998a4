public import Base
public import GitKit

/// What is known of one metric of a run.
public struct MetricSummary: Hashable, Sendable {
    public var last: Double
    public var step: Int64
    public var min: Double
    public var max: Double
    public var count: Int64
}

/// A run: the fold of its event lines.
public struct Run: Sendable {
    public let id: String
    /// The commit whose note the lines stand on.
    public let commit: ObjectID
    public var name: String?
    public var experiment: String?
    public var user: String?
    public var source = "commit"
    public var status = "running"
    public var started: Timestamp
    /// How long it took; nil when nobody measured.
    public var seconds: Double?
    public var dirty = false
    public var environment: JSON = [:]
    public var params: [String: String] = [:]
    public var metrics: [String: MetricSummary] = [:]
    public var tags: [String: String] = [:]
    public var inputs: [RunItem] = []
    public var outputs: [RunItem] = []
    public var isDeleted = false

    init(id: String, commit: ObjectID, started: Timestamp) {
        self.id = id
        self.commit = commit
        self.started = started
    }

    /// The last value of each metric.
    public var values: [String: Double] { metrics.mapValues(\.last) }

    /// One object as `git ml runs --json` prints it.
    public var json: JSON {
        [
            "run": .string(id), "name": .optional(name), "experiment": .optional(experiment),
            "status": .string(status), "source": .string(source), "commit": .string(commit.hex),
            "started": .string(started.description), "seconds": seconds.map { .number($0) } ?? .null,
            "user": .optional(user), "dirty": .bool(dirty), "params": .sorted(params),
            "metrics": .sorted(values.mapValues { .number($0) }), "tags": .sorted(tags),
            "inputs": .array(inputs.map(\.json)), "outputs": .array(outputs.map(\.json)),
        ]
    }
}

extension Run {
    /// Folds the lines of one note into the runs they tell of, in the order of their start.
    ///
    /// Lines are taken by time, then by their bytes. Lines that cannot be read, and kinds that are not known, are
    /// passed over: a newer git-ml may have written them.
    public static func fold(_ lines: [String], on commit: ObjectID) -> [Run] {
        var runs: [String: Run] = [:]
        let events = lines.compactMap { line -> (t: Timestamp, event: JSON)? in
            guard let event = try? JSON.parse(line), let t = event["t"]?.string.flatMap({ Timestamp($0) }) else {
                return nil
            }
            return (t, event)
        }
        for (t, event) in events.sorted(by: { $0.t < $1.t }) {
            guard let id = event["run"]?.string, let kind = event["ev"]?.string else { continue }
            var run = runs[id] ?? Run(id: id, commit: commit, started: t)
            run.apply(kind, event, at: t)
            runs[id] = run
        }
        return runs.values.sorted { ($0.started, $0.id) < ($1.started, $1.id) }
    }

    private mutating func apply(_ kind: String, _ event: JSON, at time: Timestamp) {
        switch kind {
        case "start":
            started = time
            name = event["name"]?.string
            experiment = event["experiment"]?.string
            user = event["user"]?.string
            source = event["source"]?.string ?? source
            dirty = event["dirty"]?.bool ?? false
            environment = event["env"] ?? [:]
        case "params": params.merge(event["params"]?.texts ?? [:]) { $1 }
        case "metrics":
            for member in event["metrics"]?.members ?? [] { metrics[member.key] = MetricSummary(member.value) }
        case "tags":
            tags.merge(event["set"]?.texts ?? [:]) { $1 }
            for key in event["unset"]?.array ?? [] { if let key = key.string { tags[key] = nil } }
        case "inputs": inputs += (event["items"]?.array ?? []).compactMap { RunItem($0) }
        case "outputs": outputs += (event["items"]?.array ?? []).compactMap { RunItem($0) }
        case "end":
            status = event["status"]?.string ?? status
            seconds = event["seconds"]?.double
        case "delete": isDeleted = true
        case "restore": isDeleted = false
        default: break
        }
    }
}

extension MetricSummary {
    init?(_ json: JSON) {
        guard let last = json["last"]?.double else { return nil }
        self.init(
            last: last, step: json["step"]?.int ?? 0, min: json["min"]?.double ?? last,
            max: json["max"]?.double ?? last, count: json["count"]?.int ?? 1)
    }
}
