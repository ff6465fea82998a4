public import Base
public import GitKit

/// Writes event lines: one JSON object a line, `t` first, keys in the fixed order of the format.
///
/// Each line of one run is at least a microsecond later than the one before, so that sorted text is sorted time.
public struct RunEvents: Sendable {
    public let run: UUIDv7
    public private(set) var lines: [String] = []
    private var last: Timestamp

    public init(run: UUIDv7 = UUIDv7(), at time: Timestamp = .now()) {
        self.run = run
        last = Timestamp(microseconds: time.microseconds - 1)
    }

    /// Adds one event of the run.
    public mutating func add(_ kind: String, _ members: [JSON.Member]) {
        last.microseconds += 1
        let head = [
            JSON.Member("t", .string(last.description)), JSON.Member("run", .string(run.description)),
            JSON.Member("ev", .string(kind)),
        ]
        lines.append(JSON.object(head + members).description)
    }

    /// Lets the next line be no earlier than a moment.
    public mutating func advance(to time: Timestamp) {
        last = max(last, Timestamp(microseconds: time.microseconds - 1))
    }

    public mutating func params(_ params: [String: String]) {
        if !params.isEmpty { add("params", [JSON.Member("params", .sorted(params))]) }
    }

    public mutating func metrics(_ metrics: [String: MetricSummary]) {
        if !metrics.isEmpty { add("metrics", [JSON.Member("metrics", .sorted(metrics.mapValues(\.json)))]) }
    }

    /// Adds what is known of metrics, and their curves where they have more than one point.
    ///
    /// Curves that take less than 4 KiB stand in the line; longer ones are content.
    /// Of each key, the first `recorded` points stand in lines that were written before.
    public mutating func curves(
        _ series: [String: [MetricPoint]], system: [String: [MetricPoint]] = [:], recorded: [String: Int] = [:],
        store: any KeptContent
    ) throws {
        metrics(series.compactMapValues { MetricSummary($0) })
        var curves = series.filter { $0.value.count > 1 }.merging(system) { $1 }
        for (key, count) in recorded where count > 0 { curves[key] = curves[key].map { Array($0.dropFirst(count)) } }
        curves = curves.filter { !$0.value.isEmpty }
        if curves.isEmpty { return }
        let keys = curves.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let tail = JSON.Member("keys", .array(keys.map { .string($0) }))
        if curves.reduce(0, { $0 + $1.value.count }) < 4096 / 8 {
            let inline = JSON.sorted(curves.mapValues(Self.inline))
            if inline.description.utf8.count < 4096 { return add("series", [JSON.Member("inline", inline), tail]) }
        }
        let bytes = SeriesFile.encode(curves)
        let digest = try store.keep(bytes)
        add(
            "series",
            [JSON.Member("oid", .string(digest.description)), JSON.Member("size", .int(Int64(bytes.count))), tail])
    }

    /// Times are microseconds since 1970.
    private static func inline(_ points: [MetricPoint]) -> JSON {
        [
            "steps": .array(points.map { .int($0.step) }), "values": .array(points.map { .number($0.value) }),
            "times": .array(points.map { .int($0.time.microseconds) }),
        ]
    }

    public mutating func tags(_ set: [String: String], unset: [String] = []) {
        if set.isEmpty, unset.isEmpty { return }
        add(
            "tags",
            [JSON.Member("set", .sorted(set)), JSON.Member("unset", .array(unset.sorted().map { .string($0) }))])
    }

    /// Adds the end; `at` is when that was, if it was later than the line before.
    public mutating func end(_ end: RunRecord.End, at time: Timestamp? = nil) {
        if let time, time.microseconds > last.microseconds { last.microseconds = time.microseconds - 1 }
        var members = [
            JSON.Member("status", .string(end.status.rawValue)),
            JSON.Member("seconds", end.seconds.map { .number(($0 * 1000).rounded() / 1000) } ?? .null),
            JSON.Member("exit", end.exit.map { .int($0) } ?? .null),
        ]
        if let bytes = end.peakMemory { members.append(JSON.Member("peak_memory", .int(bytes))) }
        add("end", members)
    }

    /// Ties a run to a commit made after it; `isExact` says that the commit's code is the run's.
    public mutating func link(_ commit: ObjectID, isExact: Bool) {
        add("link", [JSON.Member("commit", .string(commit.hex)), JSON.Member("exact", .bool(isExact))])
    }

    /// Says that a run that had ended goes on.
    public mutating func resume() { add("resume", []) }

    /// Takes outputs off the run; their content stays where it is.
    public mutating func removed(_ paths: [String]) {
        if !paths.isEmpty { add("removed", [JSON.Member("paths", .array(paths.sorted().map { .string($0) }))]) }
    }

    public mutating func delete() { add("delete", []) }
    public mutating func restore() { add("restore", []) }

    public mutating func inputs(_ items: [RunItem]) { addItems("inputs", items) }
    public mutating func outputs(_ items: [RunItem]) { addItems("outputs", items) }

    private mutating func addItems(_ kind: String, _ items: [RunItem]) {
        if !items.isEmpty { add(kind, [JSON.Member("items", .array(items.map(\.json)))]) }
    }
}

/// A file that a run read or wrote.
public struct RunItem: Hashable, Sendable {
    public enum Role: String, Sendable { case data, model, plot, log, artifact }

    /// From the top of the work tree.
    public let path: String
    public let digest: Digest
    /// In bytes.
    public let size: Int64
    public let role: Role

    public init(path: String, digest: Digest, size: Int64, role: Role) {
        self.path = path
        self.digest = digest
        self.size = size
        self.role = role
    }

    init?(_ json: JSON) {
        guard let path = json["path"]?.string, let digest = json["oid"]?.string.flatMap({ Digest($0) }) else {
            return nil
        }
        self.init(
            path: path, digest: digest, size: json["size"]?.int ?? 0,
            role: json["role"]?.string.flatMap(Role.init(rawValue:)) ?? .artifact)
    }

    /// The form that event lines and `--json` share.
    public var json: JSON {
        [
            "path": .string(path), "oid": .string(digest.description), "size": .int(size),
            "role": .string(role.rawValue),
        ]
    }
}
