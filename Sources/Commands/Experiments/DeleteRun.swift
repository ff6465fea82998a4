internal import ArgumentParser
internal import GitKit
internal import Runs

struct DeleteRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Hide runs",
        discussion: """
            A deleted run is in no list any more, but nothing of it is lost: git ml restore brings it back, git ml purge
            removes it for good.

              $ git ml delete gbm-3 gbm-4
              $ git ml runs --deleted
            """)

    @Argument(help: "Runs: an id's beginning, a name, a commit.")
    var names: [String]

    @OptionGroup var json: JSONOption

    func run() throws {
        let store = try RunStore.current()
        for run in try names.map({ try store.run(named: $0) }) {
            if !run.isDeleted { try store.change(run) { $0.delete() } }
            try RunChange.report(run, store, json: json, "deleted \(RunLabels.of(run))")
        }
    }
}
