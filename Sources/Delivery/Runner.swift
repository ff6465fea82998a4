internal import Base
public import GitKit
internal import Models
public import SystemPackage

/// Closes the gap between what tags and policy ask for and what has been delivered.
///
/// Whatever woke it, a pass does the same thing; running it again when nothing is to do changes nothing.
public struct Runner: Sendable {
    /// Where things are that a runner needs besides the repository.
    public struct Places: Sendable {
        /// Caches, releases, logs: `<repository>/ml` unless told otherwise.
        public let state: FilePath
        /// The folder with `serving/…`.
        public let templates: FilePath
        /// This program, to start the switch of local deployments.
        public let program: FilePath

        public init(state: FilePath, templates: FilePath, program: FilePath) {
            self.state = state
            self.templates = templates
            self.program = program
        }
    }

    private let repository: Repository
    private let places: Places
    private let say: @Sendable (String) -> Void

    public init(_ repository: Repository, places: Places, say: @escaping @Sendable (String) -> Void) {
        self.repository = repository
        self.places = places
        self.say = say
    }

    /// Delivers every assignment that is desired and has no result yet.
    ///
    /// One pass at a time for a state folder. Another one waits; when one waits already, the next goes away, since
    /// the waiting one will see what it would have seen. With `always` it waits in any case, and returns only when
    /// nothing is pending.
    public func pass(always: Bool = false) async throws {
        if always {
            let running = try FileLock.wait(places.state.appending("runner.lock"))
            try await deliverAll()
            return _ = consume running
        }
        guard let waiting = try FileLock.ifFree(places.state.appending("waiting.lock")) else { return }
        let running = try FileLock.wait(places.state.appending("runner.lock"))
        _ = consume waiting
        try await deliverAll()
        _ = consume running
    }

    private func deliverAll() async throws {
        guard let policy = try Policy.protected(repository) else {
            return say("the protected branch has no \(Project.fileName) yet")
        }
        let barred = try PolicyMemory(repository, state: places.state).refusal(of: policy.commit)
        if let barred { say("\(barred)") }
        let tags = try repository.tags()
        let registry = try Registry(repository, allowLight: policy.project.allowsLightTags)
        for problem in registry.problems { say("ignored the tag \(problem.tag): \(problem.reason)") }
        for model in registry.models.values.sorted(by: { $0.name < $1.name }) {
            for stage in registry.stages(of: model.name) {
                try await registry.settle(stage, of: model.name, without: refused(model.name, stage, registry)) {
                    try await deliver($0.assignment, of: $0.model, policy, barred, tags, isEnd: $0.isEnd)
                }
            }
        }
        for (model, assignment) in lightOnes(tags, than: registry) {
            _ = try await deliver(assignment, of: model, policy, barred, tags)
        }
    }

    /// The tags of a stage whose refusal is on the record and is their own fault.
    private func refused(_ model: ModelName, _ stage: String, _ registry: Registry) throws -> Set<String> {
        let records = try DeliveryLog(repository).all().filter {
            $0.model == "\(model)" && $0.stage == stage && $0.isRefusedForGood
        }
        let ids = Set(records.map(\.tag))
        return Set(registry.tags(of: model).filter { ids.contains($0.id.hex) }.map(\.name))
    }

    /// Light tags that would be deployed if they counted: they are refused on the record.
    private func lightOnes(_ tags: [TagRef], than registry: Registry) -> [(ModelEntry, Assignment)] {
        Registry(tags, allowLight: true).models.values.sorted { $0.name < $1.name }.flatMap { model in
            model.desired.values.filter {
                $0 != registry.models[model.name]?.desired[$0.stage] && $0.tagID == $0.commit
            }
            .sorted { $0.tag < $1.tag }.map { (model, $0) }
        }
    }

    /// Delivers what has no result yet, and says whether the tag or its commit was refused, so that the tag does not count.
    ///
    /// A tag that ends an assignment is only looked at.
    private func deliver(
        _ assignment: Assignment, of model: ModelEntry, _ policy: Policy, _ barred: Refusal?, _ tags: [TagRef],
        isEnd: Bool = false
    ) async throws -> Bool {
        let log = DeliveryLog(repository)
        let before = try log.deliveries(of: assignment.commit).filter {
            $0.tag == assignment.tagID.hex && $0.stage == assignment.stage && $0.model == "\(model.name)"
        }.sorted { ($0.started, $0.id) < ($1.started, $1.id) }
        let settled = before.last.flatMap { $0.ended == nil ? nil : $0 }
        if let settled, !settled.waits { return settled.isRefusedForGood }
        let past = try log.all().filter {
            $0.status == "succeeded" && $0.model == "\(model.name)" && $0.stage == assignment.stage
        }
        let delivery = AssignmentDelivery(
            repository: repository, places: places, rules: policy,
            barred: barred ?? Self.contradiction(assignment, past), tags: tags, model: model,
            stage: assignment.stage, assignment: assignment, log: log, unfinished: before.last { $0.ended == nil },
            say: say)
        // What waited, and still would, is not told of again.
        if settled != nil || isEnd, let refusal = try await delivery.refusal().refusal {
            if settled == nil, !refusal.bars { try await delivery.deliver() }
            return !refusal.bars
        }
        return isEnd ? false : try await delivery.deliver()
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

    /// Makes a commit of the protected branch the newest policy that counts as accepted, whatever was accepted before.
    public func acceptPolicy(_ commit: ObjectID) throws {
        try PolicyMemory(repository, state: places.state).remember(commit)
        let event: JSON = [
            "t": .string(Timestamp.now().description), "ev": "policy", "policy": .string(commit.hex),
        ]
        try DeliveryLog(repository).add(event.description, on: commit, message: "policy: \(commit.short)")
    }
}
