public import Base
public import GitKit

/// A run: the fold of its event lines.
public struct Run: Sendable {
    /// Where a run's curves lie.
    public enum SeriesPlace: Sendable, Equatable {
        case content(Digest, size: Int64)
        case inline([String: [MetricPoint]])
    }

    /// 32 hex digits.
    public let id: String
    /// The commit whose tree is the run's code: the start line's, else the one whose note the lines stand on.
    public var commit: ObjectID
    public var name: String?
    public var experiment: String?
    public var user: String?
    public var host: String?
    public var command: [String] = []
    public var source = "commit"
    /// `running` until an end line stands.
    public var status = "running"
    public var started: Timestamp
    /// How long it took; nil when nobody measured.
    public var seconds: Double?
    public var exit: Int64?
    /// In bytes; nil when nobody measured.
    public var peakMemory: Int64?
    public var dirty = false
    public var leftOut: [String] = []
    /// The run that this one is part of.
    public var parent: String?
    public var environment: JSON = [:]
    public var params: [String: String] = [:]
    public var metrics: [String: MetricSummary] = [:]
    public var series: [SeriesPlace] = []
    public var tags: [String: String] = [:]
    public var inputs: [RunItem] = []
    public var outputs: [RunItem] = []
    /// Commits made after the run that hold what it made, in the order they were linked.
    public var links: [ObjectID] = []
    public var isDeleted = false

    init(id: String, commit: ObjectID, started: Timestamp) {
        self.id = id
        self.commit = commit
        self.started = started
    }

    /// The last value of each metric.
    public var values: [String: Double] { metrics.mapValues(\.last) }

    /// The run as one model sees it: what was recorded as `<model>/<key>` is its own `<key>`.
    public func seen(by model: String) -> Run {
        var run = self
        for (key, value) in metrics where key.hasPrefix(model + "/") {
            run.metrics[String(key.dropFirst(model.count + 1))] = value
        }
        return run
    }

    /// The tag that MLflow and we keep a run's new name in.
    public static let nameTag = "mlflow.runName"
    /// The tag that a run's experiment is kept in when it was not known at the start.
    public static let experimentTag = "git-ml.experiment"
    /// The tag that MLflow and we keep a note on a run in.
    public static let noteTag = "mlflow.note.content"

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
    /// Folds lines into the runs they tell of, in the order of their start.
    ///
    /// Lines are taken by time, then by their bytes; each counts once, however often it stands there. Lines that cannot
    /// be read, and kinds that are not known, are passed over: a newer git-ml may have written them. `commit` is the one
    /// whose note they stand on.
    public static func fold(_ lines: [String], on commit: ObjectID) -> [Run] { fold(lines, on: commit, nil) }

    static func fold(_ lines: [String], on commit: ObjectID, _ clock: LineClock?) -> [Run] {
        var runs: [String: Run] = [:]
        let events = Set(lines).compactMap { line -> Event? in
            guard let json = try? JSON.parse(line), let own = json["t"]?.string.flatMap({ Timestamp($0) }) else {
                return nil
            }
            let t = clock?.time(own, of: line.utf8, on: commit) ?? own
            return Event(t: t, line: line, json: json)
        }
        for event in events.sorted(by: Event.precedes) {
            guard let id = event.json["run"]?.string, let kind = event.json["ev"]?.string else { continue }
            var run = runs[id] ?? Run(id: id, commit: commit, started: event.t)
            run.apply(kind, event.json, at: event.t)
            runs[id] = run
        }
        return runs.values.sorted { ($0.started, $0.id) < ($1.started, $1.id) }
    }

    private struct Event {
        let t: Timestamp
        let line: String
        let json: JSON

        static func precedes(_ a: Event, _ b: Event) -> Bool {
            a.t == b.t ? a.line.utf8.lexicographicallyPrecedes(b.line.utf8) : a.t < b.t
        }
    }

    mutating func apply(_ kind: String, _ event: JSON, at time: Timestamp) {
        switch kind {
        case "start": start(event, at: time)
        case "params": params.merge(event["params"]?.texts ?? [:]) { $1 }
        case "metrics":
            for member in event["metrics"]?.members ?? [] { metrics[member.key] = MetricSummary(member.value) }
        case "series": if let place = SeriesPlace(event) { series.append(place) }
        case "tags":
            var set = event["set"]?.texts ?? [:]
            if let new = set.removeValue(forKey: Self.nameTag) { name = new }
            if let new = set.removeValue(forKey: Self.experimentTag) { experiment = new }
            tags.merge(set) { $1 }
            for key in event["unset"]?.array ?? [] { if let key = key.string { tags[key] = nil } }
        case "inputs": Self.merge(event, into: &inputs)
        case "outputs": Self.merge(event, into: &outputs)
        case "link": if let commit = event["commit"]?.string.flatMap({ ObjectID($0) }) { links.append(commit) }
        case "end":
            status = event["status"]?.string ?? status
            seconds = event["seconds"]?.double
            exit = event["exit"]?.int
            peakMemory = event["peak_memory"]?.int
        case "resume": (status, seconds, exit) = ("running", nil, nil)
        case "removed":
            let paths = Set(event["paths"]?.array?.compactMap(\.string) ?? [])
            outputs.removeAll { paths.contains($0.path) }
        case "delete": isDeleted = true
        case "restore": isDeleted = false
        default: break
        }
    }

    private mutating func start(_ event: JSON, at time: Timestamp) {
        started = time
        name = event["name"]?.string
        experiment = event["experiment"]?.string
        user = event["user"]?.string
        host = event["host"]?.string
        command = event["cmd"]?.array?.compactMap(\.string) ?? []
        commit = event["code"]?.string.flatMap { ObjectID($0) } ?? commit
        source = event["source"]?.string ?? source
        dirty = event["dirty"]?.bool ?? false
        leftOut = event["left_out"]?.array?.compactMap(\.string) ?? []
        parent = event["parent"]?.string
        environment = event["env"] ?? [:]
    }

    /// A path that stands twice has its newest content.
    private static func merge(_ event: JSON, into items: inout [RunItem]) {
        for item in (event["items"]?.array ?? []).compactMap({ RunItem($0) }) {
            if let old = items.firstIndex(where: { $0.path == item.path }) {
                items[old] = item
            } else {
                items.append(item)
            }
        }
    }
}

extension Run.SeriesPlace {
    init?(_ event: JSON) {
        if let digest = event["oid"]?.string.flatMap({ Digest($0) }), let size = event["size"]?.int {
            self = .content(digest, size: size)
            return
        }
        guard let members = event["inline"]?.members else { return nil }
        var curves: [String: [MetricPoint]] = [:]
        for member in members {
            let steps = member.value["steps"]?.array?.compactMap(\.int) ?? []
            let values = member.value["values"]?.array?.compactMap(\.double) ?? []
            let times = member.value["times"]?.array?.compactMap(\.int) ?? []
            guard steps.count == values.count, steps.count == times.count else { continue }
            curves[member.key] = steps.indices.map {
                MetricPoint(step: steps[$0], time: Timestamp(microseconds: times[$0]), value: values[$0])
            }
        }
        self = .inline(curves)
    }
}
