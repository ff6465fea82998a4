internal import Base
internal import GitKit
internal import Images
internal import Models
internal import Pointers
internal import Storage

/// Delivers one assignment, step by step; each step is an event line as soon as it has ended.
struct AssignmentDelivery: Sendable {
    let hub: Hub
    let places: Runner.Places
    let rules: Policy
    /// Why it is not delivered, whatever the tag says: the policy was moved back, or what was delivered speaks against it.
    let barred: Refusal?
    let tags: [TagRef]
    let model: ModelEntry
    let assignment: Assignment
    let log: DeliveryLog
    /// nil while the question is only whether policy says no.
    var journal: StepJournal?

    var repository: Repository { hub.repository }
    var stage: String { assignment.stage }
    var policy: Project { rules.project }
    var policyCommit: ObjectID { rules.commit }

    func say(_ line: String) { journal?.say(line) }

    /// How a pass leaves a delivery.
    enum Outcome: Sendable {
        /// It has a result; `refusal` where the tag or its commit was refused.
        case ended(refusal: Refusal?)
        /// It is served; what is left is to watch it and to record the result.
        case watching(Served)
    }

    /// What a delivery has come to.
    struct Served: Sendable {
        let image: ImageReference
        let digest: Digest
        /// Where it is served; the image's place where nothing is deployed.
        let place: String
        let target: (any DeployTarget)?
        let deployment: Deployment
    }

    /// Makes all steps but the watching; what went wrong is recorded as the delivery's result.
    ///
    /// Throws only when the delivery goes on with the next pass, or elsewhere: somebody has ended this process meanwhile, or
    /// another runner has taken the claim.
    func deliver(_ journal: StepJournal, under held: DeliveryGuard) async throws -> Outcome {
        var delivery = self
        delivery.journal = journal
        return try await delivery.deliver(under: held)
    }

    private func deliver(under held: DeliveryGuard) async throws -> Outcome {
        say("delivering \(assignment.tag) (\(assignment.commit.short))")
        await notify("running")
        do {
            let served = try await held.run { try await steps() }
            if served.deployment.settings.watch != nil, served.target != nil { return .watching(served) }
            try await succeed(served)
            return .ended(refusal: nil)
        } catch {
            try await fail(error, held)
            return .ended(refusal: error as? Refusal)
        }
    }

    /// Keeps asking what has been promoted, then records the result; when it fails within its time, the version before it
    /// comes back.
    func watch(_ served: Served, _ journal: StepJournal, under held: DeliveryGuard) async throws {
        var delivery = self
        delivery.journal = journal
        try await delivery.watch(served, under: held)
    }

    private func watch(_ served: Served, under held: DeliveryGuard) async throws {
        guard let target = served.target, let settings = served.deployment.settings.watch else { return }
        do {
            try await held.run {
                try await step("watch", served.digest) { try await watch(served.deployment, on: target, settings) }
            }
        } catch let failure as any Failure where !StepJournal.isInterruption(failure) {
            say("\(assignment.tag) is not well: \(failure)")
            let before = try await step("roll-back", served.digest) { try await target.rollBack(served.deployment) }
            let now = before.map { "; \($0.version) is back" } ?? ""
            try await journal?.end("rolled-back", digest: served.digest, reason: "\(failure)\(now)")
            say("\(assignment.tag) rolled back: \(failure)\(now)")
            return await notify("rolled-back", reason: "\(failure)\(now)", served: served)
        } catch {
            return try await fail(error, held)
        }
        try await succeed(served)
    }

    private func succeed(_ served: Served) async throws {
        try await journal?.end(
            "succeeded", digest: served.digest,
            [("image", .string("\(served.image)")), ("target", .string(served.place))])
        say("\(assignment.tag) is served at \(served.place)")
        await notify("succeeded", served: served)
    }

    private func fail(_ error: any Error, _ held: DeliveryGuard) async throws {
        if error is GateInterrupted || error is ClaimLost { throw error }
        if let superseded = error as? Superseded {
            try await journal?.end("superseded", reason: superseded.description)
            say("\(assignment.tag) superseded: \(superseded)")
            return await notify("superseded", reason: "\(superseded)")
        }
        if let by = held.cancelledBy {
            try await journal?.end("failed", reason: "cancelled by \(by)", [("refusal", "cancelled")])
            say("\(assignment.tag) cancelled by \(by)")
            return await notify("failed", reason: "cancelled by \(by)")
        }
        if error is CancellationError { throw error }
        let refusal = error as? Refusal
        let isRefusal = refusal != nil
        var more: [(String, JSON)] = refusal?.code.map { [("refusal", .string($0))] } ?? []
        if refusal?.waits == true { more.append(("waits", true)) }
        do {
            try await journal?.end(isRefusal ? "refused" : "failed", reason: "\(error)", more)
        } catch let lost as ClaimLost {
            throw lost
        } catch let second {
            say("the result could not be recorded: \(second)")
        }
        say("\(assignment.tag) \(isRefusal ? "refused" : "failed"): \(error)")
        for hint in (error as? any Failure)?.hints ?? [] { say("hint: \(hint)") }
        await notify(isRefusal ? "refused" : "failed", reason: "\(error)")
    }

    // MARK: - Steps

    private func steps() async throws -> Served {
        try await step("claim") {}
        let settings = try await step("verify") { try await verify() }
        try await step("fetch") { try await fetch() }
        if journal?.finished["gates"]?.policy != policyCommit.hex {
            try await step("gates") { try await gates(settings.stage) }
        }
        let packaging = ModelPackage(
            repository: repository, places: places, model: model, settings: settings.model, commit: assignment.commit,
            choices: packageChoices())
        let image = try packaging.destination(policy.registry)
        let package = try await step(
            "package", digestOf: { $0.image.manifest.digest }, { try await packaging.build { say("  " + $0) } })
        let digest = package.image.manifest.digest
        if journal?.isDone("push", digest) != true {
            try await step("push", digest) {
                let sent = try await packaging.push(package, to: image)
                say("  \(image)" + (sent.isEmpty ? "" : ": \(sent.count) blob(s) sent"))
            }
        }
        let deployment = Deployment(
            model: model.name, stage: stage, version: package.version, commit: assignment.commit, tag: assignment.tag,
            counter: assignment.counter, image: image, digest: digest, settings: settings.stage, package: package)
        guard let deploy = settings.stage.deploy else {
            return Served(image: image, digest: digest, place: "\(image)", target: nil, deployment: deployment)
        }
        let target = try DeployTargets.make(
            settings: deploy,
            DeployTargets.Context(
                model: model.name, stage: stage, places: places, repository: repository, policy: policyCommit,
                say: { say($0) }))
        let place = try await serve(deployment, on: target)
        return Served(image: image, digest: digest, place: place, target: target, deployment: deployment)
    }

    private func step<T: Sendable>(
        _ name: String, _ digest: Digest? = nil, with more: @Sendable (T) -> [(String, JSON)] = { _ in [] },
        digestOf: @Sendable (T) -> Digest? = { _ in nil }, _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        guard let journal else { return try await body() }
        return try await journal.step(name, digest, with: more, digestOf: digestOf, body)
    }

    /// Code may be content too, which the step before has not brought.
    private func packageChoices() -> ModelPackage.Choices {
        var choices = ModelPackage.Choices()
        choices.tag = assignment.tag
        choices.fetch = { [hub, policy] pointers in
            let remote = try policy.data.objectRemote(of: hub.repository, gitRemote: hub.gitRemote)
            try await DataTransfer(hub.repository, store: hub.repository.contentStore, remote: remote).fetch(pointers)
        }
        return choices
    }

    private func serve(_ deployment: Deployment, on target: any DeployTarget) async throws -> String {
        let (digest, settings) = (deployment.digest, deployment.settings.probe)
        if let promoted = journal?.finished["promote"], promoted.digest == "\(digest)", let place = promoted.target {
            return place
        }
        let rendering = try await step("render", digest) { try await target.render(deployment) }
        do {
            // A script is not run twice; targets of our own find out what is there already.
            if deployment.settings.deploy?.kind != "command" || journal?.isDone("deploy", digest) != true {
                try await step("deploy", digest) { try await target.deploy(deployment, rendering) }
            }
            try await step("wait", digest) { try await target.wait(deployment, within: settings.within) }
            try await step("probe", digest) { try await probe(.candidate, deployment, on: target) }
            try await journal?.confirm()
            try await checkStillDesired()
            return try await step("promote", digest, with: { [("target", .string($0))] }) {
                try await target.promote(deployment)
            }
        } catch let error where !(error is ClaimLost) {
            // In a task of its own: this one may have been cancelled.
            do { _ = try await Task { try await target.rollBack(deployment) }.value } catch let second {
                say("what was deployed could not be taken back: \(second)")
            }
            throw error
        }
    }

    /// A tag may have been moved or deleted, or a newer one may have come, while this one was worked at.
    private func checkStillDesired() async throws {
        try await hub.bring()
        let registry = try Registry(repository, allowLight: policy.allowsLightTags)
        guard try repository.ref("refs/tags/\(assignment.tag)") == assignment.tagID else {
            throw Refusal(
                "the tag was moved or deleted while it was delivered: stage it anew, with the next counter",
                code: "moved")
        }
        // What policy refuses supersedes nothing.
        var newest: Assignment?
        try await registry.settle(stage, of: model.name, without: log.refusedTags(of: model.name, stage, registry)) {
            newest = $0.assignment
            if $0.assignment.tagID == assignment.tagID { return false }
            return try await isRefused($0)
        }
        guard let newest, newest.tagID != assignment.tagID else { return }
        throw Superseded(description: "\(newest.tag) has come meanwhile")
    }

    private func isRefused(_ claim: StageClaim) async throws -> Bool {
        let other = AssignmentDelivery(
            hub: hub, places: places, rules: rules, barred: barred, tags: tags, model: claim.model,
            assignment: claim.assignment, log: log)
        return try await other.refusal().refusal != nil
    }

    func probe(_ part: DeploymentPart, _ deployment: Deployment, on target: any DeployTarget) async throws {
        let settings = deployment.settings.probe
        let request = try settings.request.map { path in
            guard let text = try repository.file(path, in: policyCommit) else {
                throw Refusal("the golden request \(path) is not on the protected branch")
            }
            return try GoldenRequest(JSON.parse(text), path: path)
        }
        let probe = Probe(
            path: settings.path, request: request, revision: assignment.commit.hex,
            isRevisionOptional: deployment.package.map { !ServerProgram.isOurs($0) } ?? false)
        try await target.withAddress(of: part, deployment) { address in
            if let address { try await probe.check(address) }
        }
    }
}
