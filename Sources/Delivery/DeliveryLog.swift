public import Base
public import GitKit
public import Models

/// One delivery: the fold of its event lines.
public struct DeliveryRecord: Sendable {
    /// One named step.
    public struct Step: Sendable {
        public let name: String
        /// 1, and one more each time a runner took the delivery up again.
        public let attempt: Int
        public let status: String
        public let reason: String?
        public let time: Timestamp
        /// Since the step before.
        public let seconds: Double
        /// What the step printed; content of ``KeptObjects``.
        public let log: Digest?
    }

    public let id: String
    public let commit: ObjectID
    public var model = ""
    public var stage = ""
    public var counter: Int?
    public var tag = ""
    public var status = "running"
    public var reason: String?
    /// Why policy said no, in one word; nil when it did not.
    public var refusal: String?
    /// Whether a refusal is looked at again: its tag is not at fault.
    public var waits = false
    public var digest: String?
    public var image: String?
    public var target: String?
    public let started: Timestamp
    public var ended: Timestamp?
    public var steps: [Step] = []
    /// Who has approved that the model goes from this commit into this stage, or any.
    public var approvals: [Approval] = []

    /// Whether its tag, or what the tag is on, was refused once and for all.
    var isRefusedForGood: Bool {
        status == "refused" && !waits && !(refusal.map(Refusal.barringCodes.contains) ?? false)
    }

    /// One object as `git ml deliveries --json` prints it.
    public var json: JSON {
        [
            "delivery": .string(id), "model": .string(model), "stage": .string(stage),
            "counter": counter.map { .int(Int64($0)) } ?? .null, "commit": .string(commit.hex),
            "status": .string(status), "reason": .optional(reason), "refusal": .optional(refusal),
            "image": .optional(image),
            "digest": .optional(digest), "target": .optional(target), "started": .string(started.description),
            "seconds": ended.map { .number($0.seconds(since: started)) } ?? .null,
            "steps": .array(
                steps.map {
                    [
                        "step": .string($0.name), "try": .int(Int64($0.attempt)), "status": .string($0.status),
                        "seconds": .number($0.seconds), "reason": .optional($0.reason),
                    ]
                }),
            "approvals": .array(
                approvals.map {
                    [
                        "t": .string($0.time.description), "by": .string($0.by), "message": .optional($0.message),
                        "signed": .bool($0.signature != nil),
                    ]
                }),
        ]
    }
}

/// What happened to assignments, in `refs/notes/ml/deliveries`.
public struct DeliveryLog: Sendable {
    public static let ref = "refs/notes/ml/deliveries"

    private let notes: Notes

    public init(_ repository: Repository) { notes = Notes(Self.ref, in: repository) }

    /// Adds event lines to a commit's note.
    func add(_ line: String, on commit: ObjectID, message: String) throws {
        try notes.add([commit: [line]], message: message)
    }

    /// All deliveries, latest first.
    public func all() throws -> [DeliveryRecord] {
        try notes.all().flatMap { Self.fold($0.value, on: $0.key) }.sorted { ($0.started, $0.id) > ($1.started, $1.id) }
    }

    /// The deliveries of one commit.
    public func deliveries(of commit: ObjectID) throws -> [DeliveryRecord] {
        Self.fold(try notes.lines(on: commit), on: commit)
    }

    /// The delivery whose id begins so; nil when there is none, or more than one.
    public func delivery(_ prefix: String) throws -> DeliveryRecord? {
        let found = try all().filter { $0.id.hasPrefix(prefix) }
        return found.count == 1 ? found.first : nil
    }

    /// The policy commit that the latest event names; nil when none does.
    func newestPolicy() throws -> ObjectID? {
        try notes.all().values.joined().compactMap { line -> (time: Timestamp, policy: ObjectID)? in
            guard line.contains(#""policy""#), let event = try? JSON.parse(line),
                let time = event["t"]?.string.flatMap({ Timestamp($0) }),
                let policy = event["policy"]?.string.flatMap({ ObjectID($0) })
            else { return nil }
            return (time, policy)
        }.max { $0.time < $1.time }?.policy
    }

    private static func fold(_ lines: [String], on commit: ObjectID) -> [DeliveryRecord] {
        var records: [String: DeliveryRecord] = [:]
        let approvals = lines.compactMap { Approval($0, on: commit) }
        for line in lines {
            guard let event = try? JSON.parse(line), let time = event["t"]?.string.flatMap({ Timestamp($0) }),
                let id = event["delivery"]?.string, let kind = event["ev"]?.string
            else { continue }
            var record = records[id] ?? DeliveryRecord(id: id, commit: commit, started: time)
            record.model = event["model"]?.string ?? record.model
            record.stage = event["stage"]?.string ?? record.stage
            record.counter = event["counter"]?.int.map { Int($0) } ?? record.counter
            record.tag = event["tag"]?.string ?? record.tag
            record.digest = event["digest"]?.string ?? record.digest
            record.image = event["image"]?.string ?? record.image
            record.target = event["target"]?.string ?? record.target
            if kind == "step" {
                record.steps.append(
                    DeliveryRecord.Step(
                        name: event["step"]?.string ?? "", attempt: event["try"]?.int.map { Int($0) } ?? 1,
                        status: event["status"]?.string ?? "",
                        reason: event["reason"]?.string, time: time,
                        seconds: time.seconds(since: record.steps.last?.time ?? record.started),
                        log: event["log"]?.string.flatMap { Digest($0) }))
            } else if kind == "end" {
                record.status = event["status"]?.string ?? record.status
                record.reason = event["reason"]?.string
                record.refusal = event["refusal"]?.string
                record.waits = event["waits"]?.bool ?? false
                record.ended = time
            }
            records[id] = record
        }
        for (id, record) in records {
            records[id]?.approvals = approvals.filter {
                $0.model == record.model && ($0.stage ?? record.stage) == record.stage
            }
        }
        return Array(records.values)
    }
}
