internal import Base
internal import GitKit
public import Models

extension Runner {
    /// Every stage that tags speak of: as it should be, as the record says that it is, and as its target says.
    ///
    /// Asks the remote and the targets; changes nothing.
    ///
    /// - Parameter model: Only this one; nil for all.
    /// - Returns: By model, then by stage.
    /// - Throws: What reading the repository and its remote throws; a target that cannot be asked is
    ///   ``StageDrift/Actual/unreachable(reason:)`` instead.
    public func drift(of model: ModelName? = nil) async throws -> [StageDrift] {
        try await hub.bring()
        guard let policy = try Policy.protected(hub.repository) else { return [] }
        let registry = try Registry(hub.repository, allowLight: policy.project.allowsLightTags)
        return try await drift(policy, registry) { name, _ in model.map { $0 == name } ?? true }
    }

    /// Reopens the deliveries whose targets have drifted, from the step `render` on; the pass makes them again.
    func heal(_ policy: Policy, _ registry: Registry) async throws {
        let log = DeliveryLog(hub.repository)
        let pauses = try log.pauses()
        let drifts = try await drift(policy, registry) { model, stage in
            !pauses.contains { $0.holds("\(model)", stage) }
                && options.only.map { $0 == ("\(model)", stage) } ?? true
        }
        for drift in drifts where drift.wantsRepair() {
            guard let record = drift.latest ?? drift.recorded else { continue }
            say("\(drift.model)#\(drift.stage): \(drift.drifted ?? "it was not repaired"): it is deployed again")
            try log.ask("retry", of: record, by: StageDrift.repairer, from: "render")
        }
    }

    private func drift(
        _ policy: Policy, _ registry: Registry, _ isWanted: (ModelName, String) -> Bool
    ) async throws -> [StageDrift] {
        let log = DeliveryLog(hub.repository)
        let deliveries = try log.all()
        var found: [StageDrift] = []
        for model in registry.models.keys.sorted() {
            for stage in registry.stages(of: model) where isWanted(model, stage) {
                guard let settings = policy.project.stage(stage, of: model) else { continue }
                var desired: Assignment?
                let refused = try log.refusedTags(of: model, stage, registry)
                try await registry.settle(stage, of: model, without: refused) {
                    if !$0.isEnd { desired = $0.assignment }
                    return false
                }
                let own = deliveries.filter { $0.model == "\(model)" && $0.stage == stage }
                let recorded = own.first { $0.wentLive }
                if desired == nil, recorded == nil { continue }
                let drift = StageDrift(
                    model: model, stage: stage, desired: desired, recorded: recorded,
                    latest: own.first { $0.tag == desired?.tagID.hex },
                    actual: await actual(model, stage, settings, policy))
                found.append(drift)
            }
        }
        return found
    }

    private func actual(
        _ model: ModelName, _ stage: String, _ settings: StageSettings, _ policy: Policy
    ) async -> StageDrift.Actual {
        guard let deploy = settings.deploy else { return .notDeployed }
        do {
            let target = try DeployTargets.make(
                settings: deploy,
                DeployTargets.Context(
                    model: model, stage: stage, places: places, repository: hub.repository, policy: policy.commit,
                    say: say))
            guard target.knowsWhatIsLive else { return .unknown }
            return try await target.live().map { .live($0) } ?? .nothing
        } catch {
            return .unreachable(reason: "\(error)")
        }
    }
}

extension DeliveryRecord {
    /// Whether it was promoted, and has not been taken back.
    fileprivate var wentLive: Bool {
        status == "succeeded" || (ended == nil && finished["promote"] != nil)
    }
}
