internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Models
internal import SystemPackage

/// Which repository a runner works for, and where it keeps its state.
struct RunnerOptions: ParsableArguments {
    @Option(help: "The repository: a folder or an address; default: the one of this folder.")
    var repo: String?

    @Option(help: "Where caches, served releases and logs are kept; default: below the repository.")
    var state: String?

    func place() throws -> RunnerPlace { try RunnerPlace(repo, state: state, isOneOfMany: false) }

    /// The repository; one elsewhere as the last pass has left it here.
    func repository() throws -> Repository {
        let place = try place()
        guard let repository = try place.repository() else { throw NoMirror(address: repo ?? "") }
        return repository
    }

    func places(_ repository: Repository) throws -> Runner.Places { try place().places(repository) }
}

/// One repository of a runner, here or elsewhere.
struct RunnerPlace: Sendable {
    /// A folder or an address; nil: the repository of the current folder.
    let repo: String?
    private let state: FilePath?

    /// With many repositories each has a folder of its own below `state`.
    init(_ repo: String?, state: String?, isOneOfMany: Bool) throws {
        self.repo = repo
        var folder = state.map { FilePath($0) }
        if let relative = folder, !relative.isAbsolute {
            folder = Installation.currentFolder.appending(relative.components)
        }
        if let repo, Mirror.isAddress(repo), folder == nil {
            let home = environmentValue("XDG_STATE_HOME") ?? (environmentValue("HOME") ?? "/var/lib") + "/.local/state"
            folder = FilePath(home).appending("git-ml").appending(Mirror.name(repo))
        } else if isOneOfMany, let repo {
            folder = folder?.appending(Mirror.name(repo))
        }
        self.state = folder
    }

    var name: String { repo ?? "." }

    private var mirror: FilePath? { repo.flatMap { Mirror.isAddress($0) ? state?.appending("repository.git") : nil } }

    /// The repository here; nil when it is elsewhere and was not brought yet.
    func repository() throws -> Repository? {
        if let mirror { return try Mirror.existing(mirror) }
        return try repo.map { try Repository(FilePath($0)) } ?? .current()
    }

    func places(_ repository: Repository) throws -> Runner.Places {
        Runner.Places(
            state: state ?? repository.mlDirectory.appending("runner"),
            templates: try Installation.share().appending("templates"), program: Installation.program)
    }

    func runner(_ options: Runner.Options) async throws -> Runner {
        let repository: Repository
        if let repo, let mirror {
            repository = try await Mirror.open(repo, in: mirror)
        } else {
            guard let here = try self.repository() else { throw NoMirror(address: name) }
            repository = here
        }
        return try Runner(repository, places: places(repository), options: options) { Terminal.line($0) }
    }
}

/// A repository elsewhere of which this runner has no copy yet.
struct NoMirror: Failure {
    let address: String
    var kind: FailureKind { .notFound }
    var description: String { "no runner of this state has worked for \(address) yet" }
    var hints: [String] { ["`git ml runner --once --repo \(address)` makes a first pass"] }
}

struct RunnerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runner",
        abstract: "Deliver what tags have staged",
        discussion: """
            Compares the tags and ml.yaml of the default branch with what has been delivered, and closes the gap:
            verify, gates, package, push, deploy, probe. Hooks only wake it; running it again changes nothing.

            Without --once it is a service: it looks at its repositories every --interval, at once on SIGHUP, and ends on
            SIGTERM when what is going on has ended. Several runners may work for one repository: each assignment is
            claimed by one of them.

              $ git ml runner --once
              $ git ml runner --once --wait --repo /srv/git/churn.git
              $ git ml runner --heal             deploy again what was changed or lost behind our back
              $ git ml runner --repo https://github.com/acme/churn --repo https://github.com/acme/fraud --interval 5m
              $ git ml runner accept-policy 1f2e3d4    after the protected branch was moved back on purpose
            """, subcommands: [RunnerPass.self, AcceptPolicy.self], defaultSubcommand: RunnerPass.self)
}

struct RunnerPass: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pass", abstract: "Look at everything that is staged, once or again and again",
        discussion: "`git ml runner` is the same.")

    @Flag(help: "One pass over everything that is staged, then exit.")
    var once = false

    @Flag(help: "With --once: go on until nothing is pending, or leased to another runner.")
    var wait = false

    @Flag(help: "Deploy again what is recorded where the target says otherwise (`git ml drift`).")
    var heal = false

    @Option(help: "A repository: a folder or an address; may be repeated. Default: the one of this folder.")
    var repo: [String] = []

    @Option(help: "Where caches, served releases and logs are kept; default: below the repository.")
    var state: String?

    @Option(help: "How often a service looks at its repositories: 30s, 5m.")
    var interval = DurationOption(.seconds(60))

    @Option(help: "How long an assignment stays with a runner that is not heard of: 60s.")
    var lease = DurationOption(.seconds(60))

    func validate() throws {
        if wait && !once { throw ValidationError("--wait goes with --once") }
        if interval.duration < .seconds(1) { throw ValidationError("--interval is at least 1s") }
        if lease.duration < .seconds(2) { throw ValidationError("--lease is at least 2s") }
    }

    func run() async throws {
        var options = Runner.Options()
        options.lease = lease.duration.inSeconds
        options.heals = heal
        let repos = repo.isEmpty ? [nil] : repo.map { Optional($0) }
        let places = try repos.map { try RunnerPlace($0, state: state, isOneOfMany: repos.count > 1) }
        do {
            if once { return try await passes(places, options) }
            for place in places where place.repo == nil { _ = try place.repository() }
            await RunnerService(
                places.map { place in
                    RunnerService.Served(name: place.name) { [options] in try await place.runner(options) }
                }, interval: interval.duration
            ) { Terminal.line($0) }.run()
        } catch let interruption as GateInterrupted {
            throw ExitCode(128 + interruption.signal)
        }
    }

    private func passes(_ places: [RunnerPlace], _ options: Runner.Options) async throws {
        for place in places {
            let runner = try await place.runner(options)
            try await runner.pass(always: wait)
            await runner.finish()
        }
    }
}

/// A span of time at the command line.
struct DurationOption: ExpressibleByArgument {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let duration = Duration(text: argument) else { return nil }
        self.duration = duration
    }

    var defaultValueDescription: String { "\(Int(duration.inSeconds))s" }
}

struct AcceptPolicy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Accept a policy that is older than the newest one accepted",
        discussion: """
            A runner remembers the newest commit of the protected branch whose ml.yaml it has followed, and delivers nothing
            under an older one: whoever moves the branch back must not bring a laxer policy back. This moves what it
            remembers, by hand.

              $ git ml runner accept-policy 1f2e3d4 --repo /srv/git/churn.git
            """)

    @Argument(help: "A commit of the protected branch.")
    var commit: String

    @OptionGroup var options: RunnerOptions

    func run() async throws {
        let repository = try options.repository()
        let id = try repository.resolve(commit)
        try Runner(repository, places: options.places(repository)) { Terminal.line($0) }.acceptPolicy(id)
        print("the policy at \(id.short) counts as accepted; the next pass delivers what waits")
    }
}
