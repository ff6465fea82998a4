internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Storage
internal import Synchronization

/// Makes the steps of one delivery and records each as soon as it has ended.
///
/// What a runner before has recorded as done is not recorded again. With a remote, a line and the claim go there in one
/// push: a runner that has lost its claim writes nothing.
struct StepJournal: Sendable {
    let id: String
    /// 1, and one more each time a runner took the delivery up again.
    let attempt: Int
    let assignment: Assignment
    let model: ModelName
    /// The policy commit, where it counts as accepted.
    let policy: ObjectID?
    let log: DeliveryLog
    let claim: HeldClaim
    /// What was done before, by the names of steps.
    let finished: [String: DeliveryRecord.Step]
    let keep: @Sendable ([UInt8]) async throws -> Digest
    let tell: @Sendable (String) -> Void
    private let mask = SecretMask()
    private let memory: Memory

    private final class Memory: Sendable {
        /// What was said during the step that is going on: its log.
        let lines = Mutex<[String]>([])
        let latest: Mutex<Timestamp>
        init(_ latest: Timestamp) { self.latest = Mutex(latest) }
    }

    init(
        _ assignment: Assignment, of model: ModelName, unfinished: DeliveryRecord?, policy: ObjectID?, log: DeliveryLog,
        claim: HeldClaim, keep: @escaping @Sendable ([UInt8]) async throws -> Digest,
        tell: @escaping @Sendable (String) -> Void
    ) {
        id = unfinished?.id ?? UUIDv7().description
        attempt = (unfinished?.steps.map(\.attempt).max() ?? 0) + 1
        finished = unfinished?.finished ?? [:]
        memory = Memory(unfinished?.latest ?? Timestamp(seconds: 0))
        (self.assignment, self.model, self.policy) = (assignment, model, policy)
        (self.log, self.claim, self.keep, self.tell) = (log, claim, keep, tell)
    }

    func say(_ line: String) {
        let line = mask.masked(line)
        tell(line)
        memory.lines.withLock { $0.append(line) }
    }

    /// Whether a step has been made already, with the same result.
    func isDone(_ name: String, _ digest: Digest? = nil) -> Bool {
        guard let before = finished[name] else { return false }
        return digest == nil || before.digest == digest?.description
    }

    /// Makes a step, records how it ended, and breaks it off when it takes longer than it may.
    ///
    /// A step that was done before is made without a word: its effect is wanted, not its record. `digestOf` says what a step
    /// has made whose digest is not known before.
    func step<T: Sendable>(
        _ name: String, _ digest: Digest? = nil, with more: @Sendable (T) -> [(String, JSON)] = { _ in [] },
        digestOf: @Sendable (T) -> Digest? = { _ in nil }, _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        try Task.checkCancellation()
        let started = Timestamp.now()
        do {
            let result = try await Self.limited(DeliveryStep.limit(name), name, body)
            let digest = digest ?? digestOf(result)
            if isDone(name, digest) { return result }
            say("  \(name): done")
            try await record(
                "step", step: name, status: "succeeded", digest: digest, started: started, more(result))
            return result
        } catch let error where Self.isInterruption(error) {
            throw error
        } catch {
            let status = error is Refusal ? "refused" : "failed"
            try await record(
                "step", step: name, status: status, digest: digest, reason: "\(error)", started: started)
            throw error
        }
    }

    /// Errors after which nothing is recorded: the delivery goes on later, or elsewhere, or has been superseded.
    static func isInterruption(_ error: any Error) -> Bool {
        error is GateInterrupted || error is ClaimLost || error is CancellationError || error is Superseded
    }

    private static func limited<T: Sendable>(
        _ limit: Duration, _ name: String, _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        let work = Task { try await body() }
        let late = Late()
        let timer = Task {
            try await Task.sleep(for: limit)
            late.isLate.store(true, ordering: .relaxed)
            work.cancel()
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            do { return try await work.value } catch {
                throw late.isLate.load(ordering: .relaxed) ? StepTimeout(step: name, limit: limit) : error
            }
        } onCancel: {
            work.cancel()
        }
    }

    private final class Late: Sendable { let isLate = Atomic(false) }

    /// Records the result.
    func end(_ status: String, digest: Digest? = nil, reason: String? = nil, _ more: [(String, JSON)] = []) async throws
    {
        try await record("end", status: status, digest: digest, reason: reason, more)
    }

    /// Holds on to the claim: only its holder may change what is live.
    func confirm() async throws { try await claim.renew(events: false) }

    /// Stores what was said since the last step; a log that cannot be kept stops nothing.
    private func keptLog() async -> Digest? {
        let lines = memory.lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
        guard !lines.isEmpty else { return nil }
        do {
            return try await keep(Array((lines.joined(separator: "\n") + "\n").utf8))
        } catch {
            tell("the log of this step could not be kept: \(mask.masked("\(error)"))")
            return nil
        }
    }

    private func record(
        _ kind: String, step: String? = nil, status: String, digest: Digest? = nil, reason: String? = nil,
        started: Timestamp? = nil, _ more: [(String, JSON)] = []
    ) async throws {
        let kept = step == nil ? nil : await keptLog()
        let time = memory.latest.withLock { latest in
            latest = max(.now(), Timestamp(microseconds: latest.microseconds + 1))
            return latest
        }
        var members: [JSON.Member] = [
            JSON.Member("t", .string(time.description)), JSON.Member("delivery", .string(id)),
            JSON.Member("ev", .string(kind)), JSON.Member("model", .string("\(model)")),
            JSON.Member("stage", .string(assignment.stage)),
            JSON.Member("counter", assignment.counter.map { .int(Int64($0)) } ?? .null),
            JSON.Member("tag", .string(assignment.tagID.hex)),
        ]
        if let step { members += [JSON.Member("step", .string(step)), JSON.Member("try", .int(Int64(attempt)))] }
        members += [
            JSON.Member("status", .string(status)), JSON.Member("digest", .optional(digest?.description)),
            JSON.Member("fence", .int(Int64(claim.fence))),
        ]
        if step != nil { members.append(JSON.Member("log", .optional(kept?.description))) }
        members.append(JSON.Member("reason", .optional(reason.map(mask.masked))))
        if kind == "end" || step == "gates", let policy { members.append(JSON.Member("policy", .string(policy.hex))) }
        if let started { members.append(JSON.Member("started", .string(started.description))) }
        members += more.map { JSON.Member($0.0, $0.1) }
        try log.add(JSON.object(members).description, on: assignment.commit, message: "delivery: \(assignment.tag)")
        try await claim.renew(events: true)
    }
}

/// A step that took longer than it may.
struct StepTimeout: Failure {
    let step: String
    let limit: Duration
    var kind: FailureKind { .remote }
    var description: String { "the step \(step) was broken off after \(limit), which is all it may take" }
    var hints: [String] { [] }
}

/// A newer assignment has come meanwhile, or this one's tag has gone.
struct Superseded: Failure {
    let description: String
    var kind: FailureKind { .user }
    var hints: [String] { [] }
}
