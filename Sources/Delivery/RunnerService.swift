internal import Base
internal import GitKit
internal import Synchronization
internal import SystemPackage

/// A runner that goes on: it looks at its repositories again and again until a signal ends it.
///
/// SIGTERM and SIGINT let what is going on come to its end (a second one does not), SIGHUP makes it look at once.
public struct RunnerService: Sendable {
    /// One repository that it works for.
    public struct Served: Sendable {
        public let name: String
        public let open: @Sendable () async throws -> Runner

        /// `open` is asked again after it has failed: a remote may be away when the service starts.
        public init(name: String, open: @escaping @Sendable () async throws -> Runner) {
            self.name = name
            self.open = open
        }
    }

    private let repositories: [Served]
    private let interval: Duration
    private let say: @Sendable (String) -> Void

    public init(_ repositories: [Served], interval: Duration, say: @escaping @Sendable (String) -> Void) {
        self.repositories = repositories
        self.interval = interval
        self.say = say
    }

    /// Returns once a signal has come and what was going on has ended.
    public func run() async {
        ServiceSignals.install()
        say("looking at \(repositories.count) repositor\(repositories.count == 1 ? "y" : "ies") every \(interval)")
        var sights = repositories.map { Sight(served: $0) }
        while !ServiceSignals.isEnding {
            let isWoken = ServiceSignals.takeWake()
            for i in sights.indices where isWoken || sights[i].due <= .now {
                if ServiceSignals.isEnding { break }
                sights[i] = await look(sights[i])
                // Not all at once, and not all runners of a team at once.
                sights[i].due = .now + interval * Double.random(in: 0.9...1.1)
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
        say("ending: what is watched still is awaited")
        for sight in sights { await sight.runner?.finish() }
    }

    private struct Sight: Sendable {
        let served: Served
        var runner: Runner?
        /// What the remote's refs were at the last pass that left nothing to do.
        var quiet: Digest?
        var due = ContinuousClock.now
    }

    private func look(_ sight: Sight) async -> Sight {
        var sight = sight
        do {
            let runner: Runner
            if let known = sight.runner { runner = known } else { runner = try await sight.served.open() }
            sight.runner = runner
            let refs = try await runner.hub.fingerprint()
            // What is served may change while nothing does at the remote.
            if let refs, refs == sight.quiet, !runner.options.heals { return sight }
            let rest = try await runner.pass()
            sight.quiet = rest.leased == 0 && rest.waiting == 0 ? refs : nil
        } catch {
            say("\(sight.served.name): \(error)")
            for hint in (error as? any Failure)?.hints ?? [] { say("hint: \(hint)") }
            sight.quiet = nil
        }
        return sight
    }
}

extension Hub {
    /// What branches, tags and delivery notes are at the remote; nil where the repository is here, and a pass costs less.
    func fingerprint() async throws -> Digest? {
        guard let remote else { return nil }
        let refs = ["HEAD", "refs/heads/*", "refs/tags/*", "refs/notes/ml/deliveries"]
        return .of(try await repository.git.run(["ls-remote", "--end-of-options", remote] + refs))
    }
}

/// The signals that a service knows.
///
/// A handler may only touch what is there without a lock.
enum ServiceSignals {
    private static let ending = Atomic(false)
    private static let wake = Atomic(false)

    static var isEnding: Bool { ending.load(ordering: .relaxed) }

    static func takeWake() -> Bool { wake.exchange(false, ordering: .relaxed) }

    static func install() {
        var action = sigaction()
        action.sa_flags = SA_RESTART
        action.__sigaction_handler.sa_handler = { number in
            if ServiceSignals.ending.exchange(true, ordering: .relaxed) { _exit(128 + number) }
        }
        sigaction(SIGTERM, &action, nil)
        sigaction(SIGINT, &action, nil)
        action.__sigaction_handler.sa_handler = { _ in ServiceSignals.wake.store(true, ordering: .relaxed) }
        sigaction(SIGHUP, &action, nil)
    }
}
