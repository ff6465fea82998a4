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
        guard let policyCommit = try repository.head() else { return say("nothing is on the protected branch yet") }
        guard let policy = try Project.at(policyCommit, in: repository) else {
            return say("the protected branch has no \(Project.fileName)")
        }
        let registry = try Registry(repository, allowLight: policy.allowsLightTags)
        for problem in registry.problems { say("ignored the tag \(problem.tag): \(problem.reason)") }
        let log = DeliveryLog(repository)
        let delivered = try log.all().filter { $0.status == "succeeded" && $0.counter != nil }
        for model in registry.models.values.sorted(by: { $0.name < $1.name }) {
            for (stage, assignment) in model.desired.sorted(by: { $0.key < $1.key }) {
                let before = try log.deliveries(of: assignment.commit).filter { $0.tag == assignment.tagID.hex }
                if before.contains(where: { $0.ended != nil }) { continue }
                // A tag that stands elsewhere than when it was delivered was moved by force.
                let hasMoved = delivered.contains {
                    $0.model == "\(model.name)" && $0.stage == stage && $0.counter == assignment.counter
                        && $0.tag != assignment.tagID.hex
                }
                await AssignmentDelivery(
                    repository: repository, places: places, policy: policy, policyCommit: policyCommit, model: model,
                    stage: stage, assignment: assignment, log: log, unfinished: before.last,
                    hasMoved: hasMoved, say: say
                ).deliver()
            }
        }
    }
}
