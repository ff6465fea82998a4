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
        let repository = try Repository.current()
        try NotesSync(repository).mergeFetched()
        let log = RunLog(repository)
        let runs =
            try all ? Array(log.all().prefix(limit)) : log.history(from: repository.resolve("HEAD"), limit: limit)
        if json.isOn {
            for run in runs { print(run.json) }
        } else if runs.isEmpty {
            print("No runs yet.")
        } else {
            RunTable(runs).table().print()
        }
    }
}
