internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare several runs, a column each",
        discussion: """
            Only rows that differ are printed; * marks the best value of a metric.

              $ git ml compare gbm-3 gbm-4 best:metrics.auc
              $ git ml compare HEAD~2 HEAD~1 HEAD --all
            """)

    @Argument(help: "Two or more runs: an id's beginning, a name, a commit, best:metrics.KEY.")
    var names: [String]

    @Flag(help: "Print what is equal too.")
    var all = false

    @OptionGroup var json: JSONOption

    func validate() throws {
        guard names.count > 1 else { throw ValidationError("Name two runs or more; `git ml show` shows one.") }
    }

    func run() throws {
        let store = try RunStore.current()
        var runs: [Run] = []
        let selection = RunSelection(store: store)
        for run in try names.map({ try selection.run($0) }) where !runs.contains(where: { $0.id == run.id }) {
            runs.append(run)
        }
        let rows = RunComparison(runs: runs).rows(all: all)
        if json.isOn {
            let ids = JSON.array(runs.map { .string($0.id) })
            for row in rows {
                let object: JSON = [
                    "kind": .string(row.kind), "key": .string(row.key), "runs": ids, "values": .array(row.values),
                    "best": .array(row.best.sorted().map { .string(runs[$0].id) }),
                ]
                print(object)
            }
        } else if rows.isEmpty {
            print("The runs do not differ.")
        } else {
            var table = Table(["", ""] + RunLabels.of(runs).map { Terminal.safe($0) })
            for row in rows {
                table.add(
                    [row.kind, row.key] + row.cells.enumerated().map { row.best.contains($0) ? $1 + "*" : $1 })
            }
            table.print()
        }
    }
}
