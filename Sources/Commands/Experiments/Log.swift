internal import ArgumentParser
internal import GitKit
internal import Models
internal import Runs

struct Log: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the experiments along the history",
        discussion: """
            One line an experiment: commit, when, who, the parameters that differ, the metrics; * marks the best of each.

              $ git ml log
              $ git ml log feature --limit 20
            """)

    @Argument(help: "The commit or branch to start at.")
    var revision = "HEAD"

    @Option(name: .shortAndLong, help: "Show at most so many experiments.")
    var limit = 50

    @OptionGroup var json: JSONOption

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit must be at least 1") }
    }

    func run() throws {
        let store = try RunStore.current()
        let isUnborn = try revision == "HEAD" && store.repository.head() == nil
        let runs = try isUnborn ? [] : store.history(from: store.repository.resolve(revision), limit: limit)
        if json.isOn {
            for run in runs { print(run.json) }
        } else if runs.isEmpty {
            print("No experiments yet: commit a change of params.yaml or metrics.json, and it is recorded.")
        } else {
            RunTable(runs, .log).table().print()
        }
    }
}
