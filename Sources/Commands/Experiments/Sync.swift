internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs

struct Sync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Exchange recorded runs and deliveries with a remote",
        discussion: """
            git push and git fetch do this along the way; this command does only this. It also brings back what was lost in
            the remote or here (a notes ref that was deleted, or merged the wrong way), from whichever side has it.

            With --from it brings in a fork's runs: those on commits that a branch here has taken in. Each gets the tag
            git-ml.origin.

              $ git ml sync
              $ git ml sync --from https://github.com/bea/churn
            """)

    @Argument(help: "The remote.")
    var remote = "origin"

    @Option(help: ArgumentHelp("A fork to bring runs from; nothing is sent.", valueName: "url"))
    var from: String?

    func run() async throws {
        let repository = try Repository.current()
        if let from {
            let runs = try await ForkRuns(repository, url: from).bring { Terminal.error("git-ml: \($0)") }
            print(
                runs == 0 ? "Nothing new." : "Brought \(runs) run(s) from \(Terminal.safe(RemoteAddress.shown(from))).")
            return
        }
        guard try repository.remotes().contains(remote) else { throw UnknownRemote(name: remote) }
        let exchange = Exchange(repository, remote: remote)
        try exchange.fold()
        let sent = try await exchange.run { Terminal.error("git-ml: \($0)") }
        print(sent ? "Sent what \(remote) lacked." : "\(remote) and this clone hold the same runs.")
    }
}

/// A remote that is not set up.
struct UnknownRemote: Failure {
    let name: String
    var kind: FailureKind { .notFound }
    var description: String { "there is no remote “\(name)”" }
    var hints: [String] { ["`git remote` lists them; `git ml sync REMOTE` takes another than origin"] }
}
