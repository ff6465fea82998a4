public import Base

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

    public mutating func params(_ params: [String: String]) {
        if !params.isEmpty { add("params", [JSON.Member("params", .sorted(params))]) }
    }

    /// Adds metrics of which only one value is known.
    public mutating func metrics(_ values: [String: Double]) {
        if values.isEmpty { return }
        let at = JSON.string(Timestamp(microseconds: last.microseconds + 1).description)
        let summaries = values.mapValues { value -> JSON in
            let number = JSON.number(value)
            return [
                "last": number, "step": 0, "at": at, "min": number, "max": number, "first_step": 0, "count": 1,
            ]
        }
        add("metrics", [JSON.Member("metrics", .sorted(summaries))])
    }

    public mutating func inputs(_ items: [RunItem]) { add("inputs", items) }
    public mutating func outputs(_ items: [RunItem]) { add("outputs", items) }

    private mutating func add(_ kind: String, _ items: [RunItem]) {
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
