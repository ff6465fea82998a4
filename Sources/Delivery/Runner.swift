internal import Base
public import GitKit
internal import Models
internal import Pointers
internal import Synchronization
public import SystemPackage

/// Closes the gap between what tags and policy ask for and what has been delivered.
///
/// Whatever woke it, a pass does the same thing; running it again when nothing is to do changes nothing.
public final class Runner: Sendable {
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

    /// How a runner works.
    public struct Options: Sendable {
        /// How long a claim holds without being renewed, in seconds.
        public var lease = 60.0
        /// The only model and stage that are delivered, nil for all.
        public var only: (model: String, stage: String)?
        /// Whether what is served is made again when its target says otherwise than the record.
        public var heals = false

        public init() {}
    }

    /// What a pass has left.
    public struct Rest: Sendable {
        /// Assignments that another runner works at.
        public internal(set) var leased = 0
        /// Those that wait for a person or for their time.
        public internal(set) var waiting = 0

        /// Counts a result, and says whether it was a refusal.
        mutating func add(_ result: Pass.Result) -> Bool {
            switch result {
            case .settled: return false
            case .leased: leased += 1
            case .waiting: waiting += 1
            case .refused(let waits):
                if waits { waiting += 1 }
                return true
            }
            return false
        }
    }

    let hub: Hub
    let places: Places
    let options: Options
    let say: @Sendable (String) -> Void
    /// What it waits for has been said once.
    private let told = Mutex<Set<String>>([])
    private let watches = Mutex<[Task<Void, Never>]>([])

    public init(
        _ repository: Repository, places: Places, options: Options = Options(),
        say: @escaping @Sendable (String) -> Void
    ) throws {
        hub = try Hub(repository)
        let mask = SecretMask()
        self.places = places
        self.options = options
        self.say = { say(mask.masked($0)) }
    }

    /// Delivers every assignment that is desired and has no result yet.
    ///
    /// One pass at a time for a state folder. Another one waits; when one waits already, the next goes away, since
    /// the waiting one will see what it would have seen. With `always` it waits in any case, and returns only when
    /// nothing is pending, or leased to another runner.
    @discardableResult
    public func pass(always: Bool = false) async throws -> Rest {
        if always {
            while true {
                let running = try FileLock.wait(places.state.appending("runner.lock"))
                let rest = try await deliverAll()
                _ = consume running
                await finish()
                if rest.leased == 0 { return rest }
                try await Task.sleep(for: .milliseconds(Int.random(in: 400...800)))
            }
        }
        guard let waiting = try FileLock.ifFree(places.state.appending("waiting.lock")) else { return Rest() }
        let running = try FileLock.wait(places.state.appending("runner.lock"))
        _ = consume waiting
        let rest = try await deliverAll()
        _ = consume running
        return rest
    }

    /// Waits until everything that was promoted by the passes before has been watched as long as it should be.
    public func finish() async {
        let tasks = watches.withLock { tasks in
            defer { tasks = [] }
            return tasks
        }
        for task in tasks { await task.value }
    }

    /// Says why something has to wait, unless that was said before.
    func sayOnce(_ line: String) {
        if told.withLock({ $0.insert(line).inserted }) { say(line) }
    }

    func watch(_ task: Task<Void, Never>) { watches.withLock { $0.append(task) } }

    private func deliverAll() async throws -> Rest {
        let repository = hub.repository
        try await hub.bring()
        guard let policy = try Policy.protected(repository) else {
            say("the protected branch has no \(Project.fileName) yet")
            return Rest()
        }
        let barred = try PolicyMemory(repository, state: places.state).refusal(of: policy.commit)
        if let barred { say("\(barred)") }
        let tags = try repository.tags()
        let registry = try Registry(repository, allowLight: policy.project.allowsLightTags)
        for problem in registry.problems { say("ignored the tag \(problem.tag): \(problem.reason)") }
        let claims = Claims(
            hub: hub, holder: try RunnerIdentity(state: places.state), sights: ClaimSights(state: places.state),
            lease: options.lease)
        if options.heals, barred == nil { try await heal(policy, registry) }
        let pass = Pass(runner: self, claims: claims, policy: policy, barred: barred, tags: tags)
        var rest = Rest()
        func isWanted(_ model: ModelName, _ stage: String) -> Bool {
            options.only.map { $0 == ("\(model)", stage) } ?? true
        }
        for model in registry.models.keys.sorted() {
            for stage in registry.stages(of: model) where isWanted(model, stage) {
                let refused = try DeliveryLog(repository).refusedTags(of: model, stage, registry)
                try await registry.settle(stage, of: model, without: refused) {
                    let result = try await pass.deliver($0.assignment, of: $0.model, isEnd: $0.isEnd)
                    return rest.add(result)
                }
            }
        }
        for (model, assignment) in lightOnes(tags, than: registry) where isWanted(model.name, assignment.stage) {
            let result = try await pass.deliver(assignment, of: model)
            _ = rest.add(result)
        }
        return rest
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

    /// Makes a commit of the protected branch the newest policy that counts as accepted, whatever was accepted before.
    public func acceptPolicy(_ commit: ObjectID) throws {
        try PolicyMemory(hub.repository, state: places.state).remember(commit)
        let event: JSON = [
            "t": .string(Timestamp.now().description), "ev": "policy", "policy": .string(commit.hex),
        ]
        try DeliveryLog(hub.repository).add(event.description, on: commit, message: "policy: \(commit.short)")
    }
}
