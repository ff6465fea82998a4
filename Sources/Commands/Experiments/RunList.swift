internal import ArgumentParser
internal import GitKit
internal import Models
internal import Runs

struct RunList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "List recorded runs, latest first",
        discussion: """
            Without --all: the runs along the history of HEAD.

              $ git ml runs --all --json
            """)

    @Flag(help: "Runs of all branches.")
    var all = false

    @Option(name: .shortAndLong, help: "Show at most so many runs.")
    var limit = 100

    @OptionGroup var json: JSONOption

    func run() throws {
        let store = try RunStore.current()
        var query = RunQuery()
        query.limit = limit
        if !all { query.scope = .history(try store.repository.resolve("HEAD")) }
        let runs = try store.runs(query)
        if json.isOn {
            for run in runs { print(run.json) }
        } else if runs.isEmpty {
            print("No runs yet.")
        } else {
            RunTable(runs).table().print()
        }
    }
}
