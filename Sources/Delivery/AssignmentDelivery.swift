public import Base
internal import GitKit
internal import Images
internal import Models
internal import Pointers
internal import Runs
internal import Storage
internal import Synchronization
internal import SystemPackage

/// Delivers one assignment, step by step; each step is an event line as soon as it has ended.
struct AssignmentDelivery {
    let repository: Repository
    let places: Runner.Places
    let rules: Policy
    /// Why it is not delivered, whatever the tag says: the policy was moved back, or what was delivered speaks against it.
    let barred: Refusal?
    let tags: [TagRef]
    let model: ModelEntry
    let stage: String
    let assignment: Assignment
    let log: DeliveryLog

    private var policy: Project { rules.project }
    private var policyCommit: ObjectID { rules.commit }

    private let id: String
    private let attempt: Int
    private let tell: @Sendable (String) -> Void
    private let spoken = Spoken()

    /// What was said during the step that is going on: its log.
    private final class Spoken: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        func take() -> [String] {
            lines.withLock { lines in
                defer { lines = [] }
                return lines
            }
        }
    }

    /// A delivery that a runner left unfinished goes on under its name, with the next try.
    init(
        repository: Repository, places: Runner.Places, rules: Policy, barred: Refusal?, tags: [TagRef],
        model: ModelEntry, stage: String, assignment: Assignment, log: DeliveryLog, unfinished: DeliveryRecord?,
        say: @escaping @Sendable (String) -> Void
    ) {
        id = unfinished?.id ?? UUIDv7().description
        attempt = (unfinished?.steps.map(\.attempt).max() ?? 0) + 1
        tell = say
        self.repository = repository
        self.places = places
        self.rules = rules
        self.barred = barred
        self.tags = tags
        self.model = model
        self.stage = stage
        self.assignment = assignment
        self.log = log
    }

    private func say(_ line: String) {
        tell(line)
        spoken.add(line)
    }

    /// Runs the steps; what went wrong is recorded as the delivery's result.
    ///
    /// Throws only when somebody has ended this process meanwhile: the delivery has no result then, and goes on with the next pass.
    func deliver() async throws {
        say("delivering \(assignment.tag) (\(assignment.commit.short))")
        do {
            let (target, package, image) = try await steps()
            try record(
                "end", status: "succeeded", digest: package.image.manifest.digest,
                [("image", .string("\(image)")), ("target", .string(target))])
            say("\(assignment.tag) is served at \(target)")
        } catch let interruption as GateInterrupted {
            throw interruption
        } catch {
            let refusal = error as? Refusal
            let isRefusal = refusal != nil
            do {
                var more: [(String, JSON)] = refusal?.code.map { [("refusal", .string($0))] } ?? []
                if refusal?.waits == true { more.append(("waits", true)) }
                try record("end", status: isRefusal ? "refused" : "failed", reason: "\(error)", more)
            } catch let second {
                say("the result could not be recorded: \(second)")
            }
            say("\(assignment.tag) \(isRefusal ? "refused" : "failed"): \(error)")
            for hint in (error as? any Failure)?.hints ?? [] { say("hint: \(hint)") }
        }
    }

    private func steps() async throws -> (target: String, package: BuiltPackage, image: ImageReference) {
        let settings = try await step("verify") { try await verify() }
        try await step("fetch") { try await fetch() }
        try await step("gates") { try await gates(settings.stage) }
        let packaging = ModelPackage(
            repository: repository, places: places, model: model, settings: settings.model, commit: assignment.commit,
            choices: packageChoices())
        let image = try packaging.destination(policy.registry)
        let package = try await step("package") { try await packaging.build { say("  " + $0) } }
        let digest = package.image.manifest.digest
        try await step("push", digest) {
            let sent = try await packaging.push(package, to: image)
            say("  \(image)" + (sent.isEmpty ? "" : ": \(sent.count) blob(s) sent"))
        }
        guard let deploy = settings.stage.deploy else { return ("\(image)", package, image) }
        let target = try DeployTargets.make(
            settings: deploy,
            DeployTargets.Context(
                model: model.name, stage: stage, places: places, repository: repository, policy: policyCommit,
                say: { say($0) }))
        let deployment = Deployment(
            model: model.name, stage: stage, version: package.version, commit: assignment.commit, tag: assignment.tag,
            counter: assignment.counter, image: image, digest: digest, settings: settings.stage, package: package)
        return (try await serve(deployment, on: target), package, image)
    }

    /// Code may be content too, which the step before has not brought.
    private func packageChoices() -> ModelPackage.Choices {
        var choices = ModelPackage.Choices()
        choices.tag = assignment.tag
        choices.fetch = { [repository, policy] pointers in
            let remote = try policy.data.objectRemote(of: repository, gitRemote: repository.commonDirectory.string)
            try await DataTransfer(repository, store: repository.contentStore, remote: remote).fetch(pointers)
        }
        return choices
    }

    /// Runs one step and records how it ended.
    private func step<T>(_ name: String, _ digest: Digest? = nil, _ body: () async throws -> T) async throws -> T {
        do {
            let result = try await body()
            say("  \(name): done")
            try record("step", step: name, status: "succeeded", digest: digest, log: await keptLog())
            return result
        } catch {
            let status = error is Refusal ? "refused" : "failed"
            try record(
                "step", step: name, status: status, digest: digest, log: await keptLog(), reason: "\(error)")
            throw error
        }
    }

    /// Stores what was said since the last step; a log that cannot be kept stops nothing.
    private func keptLog() async -> Digest? {
        let lines = spoken.take()
        guard !lines.isEmpty else { return nil }
        do {
            return try await KeptObjects(repository).add(
                Array((lines.joined(separator: "\n") + "\n").utf8), remote: dataRemote())
        } catch {
            tell("the log of this step could not be kept: \(error)")
            return nil
        }
    }

    private func dataRemote() throws -> any ObjectRemote {
        try policy.data.objectRemote(of: repository, gitRemote: repository.commonDirectory.string)
    }

    private func record(
        _ kind: String, step: String? = nil, status: String, digest: Digest? = nil, log kept: Digest? = nil,
        reason: String? = nil, _ more: [(String, JSON)] = []
    ) throws {
        var members: [JSON.Member] = [
            JSON.Member("t", .string(Timestamp.now().description)), JSON.Member("delivery", .string(id)),
            JSON.Member("ev", .string(kind)), JSON.Member("model", .string("\(model.name)")),
            JSON.Member("stage", .string(stage)),
            JSON.Member("counter", assignment.counter.map { .int(Int64($0)) } ?? .null),
            JSON.Member("tag", .string(assignment.tagID.hex)),
        ]
        if let step { members += [JSON.Member("step", .string(step)), JSON.Member("try", .int(Int64(attempt)))] }
        members += [
            JSON.Member("status", .string(status)), JSON.Member("digest", .optional(digest?.description)),
            JSON.Member("fence", .null),
        ]
        if step != nil { members.append(JSON.Member("log", .optional(kept?.description))) }
        members.append(JSON.Member("reason", .optional(reason)))
        if step == nil, barred?.code != "policy-rewound" {
            members.append(JSON.Member("policy", .string(policyCommit.hex)))
        }
        members += more.map { JSON.Member($0.0, $0.1) }
        try log.add(JSON.object(members).description, on: assignment.commit, message: "delivery: \(assignment.tag)")
    }

    // MARK: - Steps

    private func verify() async throws -> (model: ModelSettings, stage: StageSettings) {
        let answer = try await refusal()
        for notice in answer.notices { say("  notice: \(notice)") }
        if let refusal = answer.refusal { throw refusal }
        guard let settings = policy.models[model.name], let stage = policy.stage(stage, of: model.name) else {
            throw Refusal("\(Project.fileName) on the protected branch does not name it")
        }
        return (settings, stage)
    }

    /// What policy says no to, nil when to nothing, and what is worth telling.
    ///
    /// Everything is looked at here again, whatever the hooks of the server and of whoever pushed have let through.
    func refusal() async throws -> (refusal: Refusal?, notices: [String]) {
        if let barred { return (barred, []) }
        guard let tag = try repository.tagRef(assignment.tag, at: assignment.tagID) else {
            return (Refusal("the tag object \(assignment.tagID.short) is not here"), [])
        }
        let check = PolicyCheck(rules, tags: tags) { [repository] in try RunStore(repository) }
        var verdict = try await check.verdict(on: tag)
        if verdict.refusals.contains(.historyCutOff(commit: assignment.commit)), try await bringHistory() {
            verdict = try await check.verdict(on: tag)
        }
        if let first = verdict.refusals.first {
            let reason = verdict.refusals.map { "\($0)" }.joined(separator: "; ")
            return (
                Refusal(reason, code: first.code, waits: verdict.refusals.allSatisfy(\.waits), hints: first.hints),
                verdict.notices
            )
        }
        let unsupported = policy.stage(stage, of: model.name)?.unsupported ?? []
        if unsupported.isEmpty { return (nil, verdict.notices) }
        return (
            Refusal("the stage asks for what this version cannot check: \(unsupported.joined(separator: ", "))"),
            verdict.notices
        )
    }

    /// A shallow clone answers questions about history wrongly: the rest is brought; false: there is no remote that has it.
    private func bringHistory() async throws -> Bool {
        let remotes = try repository.remotes()
        guard let remote = remotes.contains("origin") ? "origin" : remotes.first else { return false }
        let result = try await repository.git.attempt(["fetch", "--quiet", "--unshallow", "--end-of-options", remote])
        return result.status == 0 && !repository.isShallow
    }

    /// Brings the model's bytes, and only those.
    private func fetch() async throws {
        guard let path = policy.models[model.name]?.path else { return }
        let pointers = try PointerScan(repository).pointers(in: assignment.commit).filter {
            $0.path == path || $0.path.hasPrefix(path + "/")
        }
        try await DataTransfer(repository, store: repository.contentStore, remote: dataRemote())
            .fetch(pointers.map(\.pointer))
    }

    private func gates(_ settings: StageSettings) async throws {
        let served = try log.all().first {
            $0.model == "\(model.name)" && $0.stage == stage && $0.status == "succeeded"
        }
        let (repository, data) = (repository, policy.data)
        let check = try GateCheck(
            repository, store: RunStore(repository), policy: policyCommit,
            remote: { try data.objectRemote(of: repository, gitRemote: repository.commonDirectory.string) },
            say: { [tell] in tell("  " + $0) })
        let results = try await check.check(
            settings, model: model.name, path: policy.models[model.name]?.path, candidate: assignment.commit,
            current: served?.commit)
        for result in results {
            say("  \(result.line)")
            for line in result.lines { say("    \(line)") }
        }
        let failed = results.filter { !$0.isPassed }
        guard failed.isEmpty else {
            throw Refusal(failed.map { "gate \($0.text): \($0.detail)" }.joined(separator: "; "))
        }
    }

    private func serve(_ deployment: Deployment, on target: any DeployTarget) async throws -> String {
        let (digest, settings) = (deployment.digest, deployment.settings.probe)
        let rendering = try await step("render", digest) { try await target.render(deployment) }
        do {
            try await step("deploy", digest) { try await target.deploy(deployment, rendering) }
            try await step("wait", digest) { try await target.wait(deployment, within: settings.within) }
            try await step("probe", digest) { try await probe(settings, deployment, on: target) }
            return try await step("promote", digest) { try await target.promote(deployment) }
        } catch {
            do { _ = try await target.rollBack(deployment) } catch let second {
                say("what was deployed could not be taken back: \(second)")
            }
            throw error
        }
    }

    private func probe(_ settings: StageSettings.Probe, _ deployment: Deployment, on target: any DeployTarget)
        async throws
    {
        let request = try settings.request.map { path in
            guard let text = try repository.file(path, in: policyCommit) else {
                throw Refusal("the golden request \(path) is not on the protected branch")
            }
            return try GoldenRequest(JSON.parse(text), path: path)
        }
        let probe = Probe(path: settings.path, request: request, revision: assignment.commit.hex)
        try await target.withAddress(of: .candidate, deployment) { address in
            if let address { try await probe.check(address) }
        }
    }
}

/// Policy said no: nothing was built or changed because of it.
public struct Refusal: Failure, Equatable {
    public let description: String
    /// One word for scripts.
    public let code: String?
    /// Whether it is looked at again when something has changed: the tag is not at fault.
    public let waits: Bool
    public let hints: [String]
    public var kind: FailureKind { .user }

    init(_ description: String, code: String? = nil, waits: Bool = false, hints: [String] = []) {
        self.description = description
        self.code = code
        self.waits = waits
        self.hints = hints
    }
}
