internal import Base
internal import GitKit
internal import Models
internal import Pointers

/// One look at everything that is desired.
struct Pass: Sendable {
    enum Result {
        case settled
        /// The tag or its commit was refused, so that it does not count; whether that is looked at again.
        case refused(waits: Bool)
        case leased
        case waiting
    }

    let runner: Runner
    let claims: Claims
    let policy: Policy
    let barred: Refusal?
    let tags: [TagRef]

    private var repository: Repository { runner.hub.repository }
    private var log: DeliveryLog { DeliveryLog(repository) }

    /// Delivers an assignment, unless that has been done, somebody else does it, or it has to wait.
    ///
    /// With `isEnd` the tag takes the model out of the stage: it is only looked at, and recorded when it is refused.
    func deliver(_ assignment: Assignment, of model: ModelEntry, isEnd: Bool = false) async throws -> Result {
        let before = try deliveries(of: assignment, model)
        let settled = before.last.flatMap { $0.ended == nil ? nil : $0 }
        if let settled, !settled.waits { return settled.isRefusedForGood ? .refused(waits: false) : .settled }
        if let pause = try log.pauses().first(where: { $0.holds("\(model.name)", assignment.stage) }) {
            runner.sayOnce("\(assignment.tag) waits: \(assignment.stage) was paused by \(pause.by)")
            return .waiting
        }
        // What waited, and still would, is not told of again.
        if settled != nil || isEnd {
            let refusal = try await delivery(assignment, model, past(of: assignment, model)).refusal().refusal
            if isEnd, refusal == nil { return .settled }
            if let refusal, settled != nil || refusal.bars { return refusal.result }
        }
        let fence = before.map(\.fence).max() ?? 0
        guard let claim = try await claims.take("refs/tags/\(assignment.tag)", above: fence) else {
            runner.sayOnce("\(assignment.tag): another runner works at it")
            return .leased
        }
        do {
            return try await deliver(assignment, of: model, under: claim)
        } catch {
            await claim.release()
            throw error
        }
    }

    private func deliver(_ assignment: Assignment, of model: ModelEntry, under claim: HeldClaim) async throws -> Result
    {
        // What others have done before the claim was ours.
        if let remote = runner.hub.remote { try await NotesSync(repository).fetch(remote) }
        let before = try deliveries(of: assignment, model)
        if let last = before.last, last.ended != nil, !last.waits {
            await claim.release()
            return .settled
        }
        let prefix = "refs/tags/\(model.name)#\(assignment.stage)"
        let others = try await claims.others { $0 == prefix || $0.hasPrefix(prefix + "#") }
        if let other = others.first {
            runner.sayOnce("\(assignment.tag) waits: another runner works at \(other)")
            await claim.release()
            return .leased
        }
        let past = try past(of: assignment, model)
        let delivery = delivery(assignment, model, past)
        if try await delivery.refusal().refusal == nil { try await endOlder(past, than: assignment) }
        let unfinished = before.last { $0.ended == nil }
        let journal = StepJournal(
            assignment, of: model.name, unfinished: unfinished,
            policy: delivery.barred?.code == "policy-rewound" ? nil : policy.commit, log: log, claim: claim,
            keep: { [repository] in try await KeptObjects(repository).add($0, remote: delivery.dataRemote()) },
            tell: runner.say)
        let (log, id, commit) = (log, journal.id, assignment.commit)
        let held = DeliveryGuard(claim, runner.hub) {
            try log.deliveries(of: commit).first { $0.id == id }?.cancelled
        }
        do {
            switch try await delivery.deliver(journal, under: held) {
            case .ended(let refusal):
                await held.finish()
                if let refusal { return refusal.result }
            case .watching(let served):
                runner.say("\(assignment.tag) is served at \(served.place), and watched")
                let task = Task { [say = runner.say] in
                    do { try await delivery.watch(served, journal, under: held) } catch {
                        say("\(assignment.tag): \(error)")
                    }
                    await held.finish()
                }
                runner.watch(task)
            }
            return .settled
        } catch let lost as ClaimLost {
            runner.say("\(lost)")
            await held.finish()
            return .leased
        } catch {
            await held.finish()
            throw error
        }
    }

    /// The deliveries of an assignment, the oldest first.
    private func deliveries(of assignment: Assignment, _ model: ModelEntry) throws -> [DeliveryRecord] {
        try log.deliveries(of: assignment.commit).filter {
            $0.tag == assignment.tagID.hex && $0.stage == assignment.stage && $0.model == "\(model.name)"
        }.sorted { ($0.started, $0.id) < ($1.started, $1.id) }
    }

    private func past(of assignment: Assignment, _ model: ModelEntry) throws -> [DeliveryRecord] {
        try log.all().filter { $0.model == "\(model.name)" && $0.stage == assignment.stage }
    }

    private func delivery(_ assignment: Assignment, _ model: ModelEntry, _ past: [DeliveryRecord]) -> AssignmentDelivery
    {
        AssignmentDelivery(
            hub: runner.hub, places: runner.places, rules: policy,
            barred: barred ?? Self.contradiction(assignment, past.filter { $0.status == "succeeded" }), tags: tags,
            model: model, assignment: assignment, log: log)
    }

    /// Deliveries of older assignments of the stage that nobody will finish any more.
    private func endOlder(_ past: [DeliveryRecord], than assignment: Assignment) async throws {
        for record in past where record.ended == nil && record.tag != assignment.tagID.hex {
            guard let counter = record.counter, counter < assignment.counter ?? 0 else { continue }
            let name = "\(record.model)#\(record.stage)#\(counter)"
            guard let claim = try await claims.take("refs/tags/\(name)", above: record.fence) else { continue }
            let time = max(Timestamp.now(), Timestamp(microseconds: record.latest.microseconds + 1))
            let event: JSON = [
                "t": .string(time.description), "delivery": .string(record.id), "ev": "end",
                "model": .string(record.model), "stage": .string(record.stage), "counter": .int(Int64(counter)),
                "tag": .string(record.tag), "status": "superseded", "digest": .optional(record.digest),
                "fence": .int(Int64(claim.fence)), "reason": .string("\(assignment.tag) has come meanwhile"),
            ]
            try log.add(event.description, on: record.commit, message: "delivery: \(name)")
            try await claim.renew(events: true)
            await claim.release()
        }
    }

    /// What speaks against an assignment going by what was delivered: somebody with force has moved or removed tags.
    private static func contradiction(_ assignment: Assignment, _ past: [DeliveryRecord]) -> Refusal? {
        let number = assignment.counter ?? 0
        if past.contains(where: { $0.counter == number && $0.tag != assignment.tagID.hex }) {
            return Refusal(
                "the tag was moved after it had been delivered: stage it anew, with the next counter", code: "moved")
        }
        guard let highest = past.compactMap(\.counter).max(), highest > number else { return nil }
        return Refusal(
            "the stage has been at number \(highest) already, whose tag is not here any more: it was hidden or removed",
            code: "counter", hints: ["stage it anew, with a counter above \(highest)"])
    }
}

extension Refusal {
    /// What a pass has come to by it.
    fileprivate var result: Pass.Result { bars ? waits ? .waiting : .settled : .refused(waits: waits) }
}
