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

    @Option(name: .shortAndLong, help: "Show at most so many experiments (tables: 50 unless told otherwise).")
    var limit: Int?

    @OptionGroup var json: JSONOption

    private static let tableLength = 50

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
    }

    func run() throws {
        let store = try RunStore.current()
        let isUnborn = try revision == "HEAD" && store.repository.head() == nil
        let most = limit ?? Self.tableLength + 1
        if json.isOn {
            if !isUnborn { try store.along(store.repository.resolve(revision), limit: limit) { print($0.json) } }
            return
        }
        let runs = try isUnborn ? [] : store.history(from: store.repository.resolve(revision), limit: most)
        if runs.isEmpty {
            print("No experiments yet: commit a change of params.yaml or metrics.json, and it is recorded.")
        } else {
            let shown = limit == nil ? Array(runs.prefix(Self.tableLength)) : runs
            RunTable(shown, .log).table().print()
            if shown.count < runs.count { Terminal.error("git-ml: there are more; --limit shows them") }
        }
    }
}
