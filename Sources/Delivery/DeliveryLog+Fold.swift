internal import Base
internal import GitKit
internal import Models

extension DeliveryLog {
    /// The tags of a stage whose refusal is on the record and is their own fault.
    func refusedTags(of model: ModelName, _ stage: String, _ registry: Registry) throws -> Set<String> {
        let refused = try all().filter { $0.model == "\(model)" && $0.stage == stage && $0.isRefusedForGood }
        let ids = Set(refused.map(\.tag))
        return Set(registry.tags(of: model).filter { ids.contains($0.id.hex) }.map(\.name))
    }

    /// The deliveries that a commit's lines tell of.
    static func fold(_ lines: [String], on commit: ObjectID) -> [DeliveryRecord] {
        var records: [String: DeliveryRecord] = [:]
        let approvals = lines.compactMap { Approval($0, on: commit) }
        for event in lines.compactMap({ DeliveryEvent($0) }).sorted(by: { $0.time < $1.time }) {
            var record =
                records[event.delivery]
                ?? DeliveryRecord(id: event.delivery, commit: commit, started: event.time, latest: event.time)
            record.take(event)
            records[event.delivery] = record
        }
        for (id, record) in records {
            records[id]?.approvals = approvals.filter {
                $0.model == record.model && ($0.stage ?? record.stage) == record.stage
            }
        }
        return Array(records.values)
    }
}

/// One line about a delivery.
private struct DeliveryEvent {
    let time: Timestamp
    let delivery: String
    let kind: String
    let json: JSON

    init?(_ line: String) {
        guard let json = try? JSON.parse(line), let time = json["t"]?.string.flatMap({ Timestamp($0) }),
            let delivery = json["delivery"]?.string, let kind = json["ev"]?.string
        else { return nil }
        (self.time, self.delivery, self.kind, self.json) = (time, delivery, kind, json)
    }

    func text(_ key: String) -> String? { json[key]?.string }
}

extension DeliveryRecord {
    /// A runner that has lost its claim may still write: a line with a lower fence than one before it counts for nothing.
    fileprivate mutating func take(_ event: DeliveryEvent) {
        if let fence = event.json["fence"]?.int {
            if fence < self.fence { return }
            self.fence = Int(fence)
        }
        let before = latest
        latest = event.time
        model = event.text("model") ?? model
        stage = event.text("stage") ?? stage
        counter = event.json["counter"]?.int.map { Int($0) } ?? counter
        tag = event.text("tag") ?? tag
        digest = event.text("digest") ?? digest
        image = event.text("image") ?? image
        target = event.text("target") ?? target
        switch event.kind {
        case "step": take(step: event, after: steps.isEmpty ? started : before)
        case "cancel": cancelled = event.text("by") ?? "somebody"
        case "retry": reopen(event)
        case "end":
            status = event.text("status") ?? status
            reason = event.text("reason")
            refusal = event.text("refusal")
            waits = event.json["waits"]?.bool ?? false
            (ended, retried) = (event.time, nil)
        default: break
        }
    }

    private mutating func take(step event: DeliveryEvent, after before: Timestamp) {
        let began = event.text("started").flatMap { Timestamp($0) } ?? before
        let step = Step(
            name: event.text("step") ?? "", attempt: event.json["try"]?.int.map { Int($0) } ?? 1,
            status: event.text("status") ?? "", reason: event.text("reason"), time: event.time,
            seconds: event.time.seconds(since: began), digest: event.text("digest"), policy: event.text("policy"),
            target: event.text("target"),
            log: event.text("log").flatMap { Digest($0) })
        steps.append(step)
        finished[step.name] = step.status == "succeeded" ? step : nil
        if step.name == "claim" { retried = nil }
    }

    /// It goes on, at the step that is named, else at the first that had not succeeded.
    private mutating func reopen(_ event: DeliveryEvent) {
        guard ended != nil else { return }
        (status, ended, reason, refusal, waits, cancelled) = ("running", nil, nil, nil, false, nil)
        retried = event.text("by") ?? "somebody"
        isRepair = retried == StageDrift.repairer
        guard let from = event.text("from"), let first = DeliveryStep.all.firstIndex(of: from) else { return }
        for name in DeliveryStep.all[first...] { finished[name] = nil }
    }
}
