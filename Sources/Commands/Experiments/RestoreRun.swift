internal import ArgumentParser
internal import GitKit
internal import Runs

struct RestoreRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Bring deleted runs back",
        discussion: """
              $ git ml runs --deleted
              $ git ml restore gbm-3
            """)

    @Argument(help: "Deleted runs: an id's beginning or a name.")
    var names: [String]

    @OptionGroup var json: JSONOption

    func run() throws {
        let store = try RunStore.current()
        let selection = RunSelection(store: store)
        for run in try names.map({ try selection.deleted($0) }) {
            if run.isDeleted { try store.change(run) { $0.restore() } }
            let label = RunLabels.of(run)
            try RunChange.report(
                run, store, json: json, run.isDeleted ? "restored \(label)" : "\(label) is not deleted")
        }
    }
}
