internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs

struct PurgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Remove runs for good, everywhere the tool reaches",
        discussion: """
            Takes the runs' lines out of the notes together with the notes' history, and removes the curves and logs that
            only they name. The next push or git ml sync does the same at the remote, and other clones follow when they
            fetch. git ml delete only hides a run.

              $ git ml purge gbm-3
              $ git ml purge 0193590a6b3d --yes
            """)

    @Argument(help: "Runs: an id's beginning, a name, a commit.")
    var names: [String]

    @Flag(help: "Do not ask.")
    var yes = false

    func run() throws {
        let store = try RunStore.current()
        let runs = try names.map { try store.run(named: $0) }
        let purge = Purge(store.repository)
        let plan = try purge.plan(Array(Set(runs.map(\.id))).sorted())
        if !yes { try confirm(runs, plan) }
        try purge.run(plan, by: store.repository.user().email)
        for run in runs { print("purged \(RunLabels.of(run))") }
        print("`git push` or `git ml sync` removes it from the remote, and from other clones when they fetch.")
        print("Until `git gc --prune=now` the old objects lie here unreachable.")
        print("A forge may keep them in its history and caches: ask its support to collect them.")
        print("The code that it ran with stays in git.")
    }

    private func confirm(_ runs: [Run], _ plan: Purge.Plan) throws {
        guard isatty(0) == 1 else { throw Unconfirmed() }
        for run in runs { Terminal.error("to purge: \(Terminal.safe(RunLabels.of(run)))") }
        Terminal.unfinished(
            "\(plan.lines) line(s) and \(plan.contents.count) content(s) are removed for good. Go on? [y/N] ")
        guard ["y", "yes"].contains(readLine()?.lowercased() ?? "") else { throw Unconfirmed() }
    }
}

/// A purge that nobody agreed to.
struct Unconfirmed: Failure {
    var kind: FailureKind { .user }
    var description: String { "nothing was purged" }
    var hints: [String] { ["`--yes` purges without asking; `git ml delete` hides a run and can be undone"] }
}
