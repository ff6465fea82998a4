internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Models
internal import SystemPackage

/// Which repository a runner works for, and where it keeps its state.
struct RunnerOptions: ParsableArguments {
    @Option(help: "The repository, on this machine; default: the one of this folder.")
    var repo: String?

    @Option(help: "Where caches, served releases and logs are kept; default: below the repository.")
    var state: String?

    func repository() throws -> Repository { try repo.map { try Repository(FilePath($0)) } ?? .current() }

    func places(_ repository: Repository) throws -> Runner.Places {
        var folder = state.map { FilePath($0) } ?? repository.mlDirectory.appending("runner")
        if !folder.isAbsolute { folder = Installation.currentFolder.appending(folder.components) }
        return Runner.Places(
            state: folder, templates: try Installation.share().appending("templates"), program: Installation.program)
    }
}

struct RunnerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runner",
        abstract: "Deliver what tags have staged",
        discussion: """
            Compares the tags and ml.yaml of the default branch with what has been delivered, and closes the gap:
            verify, gates, package, push, deploy, probe. Hooks only wake it; running it again changes nothing.

              $ git ml runner --once
              $ git ml runner --once --wait --repo /srv/git/churn.git
              $ git ml runner accept-policy 1f2e3d4    after the protected branch was moved back on purpose
            """, subcommands: [RunnerPass.self, AcceptPolicy.self], defaultSubcommand: RunnerPass.self)
}

struct RunnerPass: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pass", abstract: "Make one pass over everything that is staged",
        discussion: "`git ml runner --once` is the same.")

    @Flag(help: "One pass over everything that is staged, then exit.")
    var once = false

    @Flag(help: "Wait for another runner to finish, and exit when nothing is pending.")
    var wait = false

    @OptionGroup var options: RunnerOptions

    func validate() throws {
        if !once { throw ValidationError("say --once: this version makes one pass and exits") }
    }

    func run() async throws {
        let repository = try options.repository()
        do {
            try await Runner(repository, places: options.places(repository)) { Terminal.line($0) }.pass(always: wait)
        } catch let interruption as GateInterrupted {
            throw ExitCode(128 + interruption.signal)
        }
    }
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
