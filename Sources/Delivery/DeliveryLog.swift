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
        /// How long it took; where the line does not say when it began, since the step before.
        public let seconds: Double
        public let digest: String?
        /// The policy commit that it went by, where that matters.
        public let policy: String?
        /// Where a promotion put it.
        public let target: String?
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
    /// The steps that need not be made again when the delivery goes on, by name.
    var finished: [String: Step] = [:]
    /// The highest fence of its lines.
    var fence = 0
    /// Who asked to have it cancelled.
    public var cancelled: String?
    /// Who asked to have it made again after it had ended; nil once a runner has taken it up.
    public var retried: String?
    /// Whether it was last made again because its target had drifted.
    var isRepair = false
    /// Its latest line.
    var latest: Timestamp
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

    /// What people asked of stages: the latest of each model and stage, nil standing for all models.
    public func pauses() throws -> [StagePause] {
        var latest: [StagePause.Place: StagePause] = [:]
        for lines in try notes.all().values {
            for line in lines {
                guard let pause = StagePause(line), (latest[pause.place]?.time ?? pause.time) <= pause.time else {
                    continue
                }
                latest[pause.place] = pause
            }
        }
        return latest.values.filter(\.isPaused).sorted { $0.time < $1.time }
    }

    /// Asks a runner for something, on the record: `cancel` or `retry` of a delivery.
    public func ask(_ kind: String, of record: DeliveryRecord, by: String, from step: String? = nil) throws {
        let time = max(Timestamp.now(), Timestamp(microseconds: record.latest.microseconds + 1))
        var members: [JSON.Member] = [
            JSON.Member("t", .string(time.description)), JSON.Member("delivery", .string(record.id)),
            JSON.Member("ev", .string(kind)), JSON.Member("by", .string(by)),
        ]
        if kind == "retry" { members.append(JSON.Member("from", .optional(step))) }
        try add(JSON.object(members).description, on: record.commit, message: "\(kind): \(record.id)")
    }

    /// Holds a stage, or lets it go again; on the record of a commit of the protected branch.
    public func add(_ pause: StagePause, on commit: ObjectID) throws {
        try add(pause.line, on: commit, message: "\(pause.isPaused ? "pause" : "resume"): \(pause.place.stage)")
    }

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
}
