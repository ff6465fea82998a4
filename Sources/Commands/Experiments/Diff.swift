internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import Runs

struct Diff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare two runs: parameters, metrics, data, model, environment",
        discussion: """
            Only what differs is printed; --all prints the rest too, --code how the code differs. Of datasets that differ
            between two commits the files are listed that were added, changed and removed; with a path only those.

              $ git ml diff HEAD~1 HEAD
              $ git ml diff gbm-3 best:metrics.auc --code
              $ git ml diff HEAD~1 HEAD data/images
            """)

    @Argument(help: "The older one: a run or a commit.")
    var old = "HEAD~1"

    @Argument(help: "The newer one.")
    var new = "HEAD"

    @Argument(help: "Only the datasets at or below this path.")
    var path: String?

    @Flag(help: "Print what is equal too.")
    var all = false

    @Flag(help: "Print which files of the code differ, and by how many lines.")
    var code = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let store = try RunStore.current()
        let datasets = try await datasetChanges(store.repository)
        if path == nil {
            do { try await compareRuns(store) } catch let failure as any Failure {
                // Commits without runs may have datasets that differ all the same.
                guard failure.kind == .notFound, !datasets.isEmpty else { throw failure }
            }
        } else if datasets.isEmpty, !json.isOn {
            print("No dataset there differs.")
        }
        for (name, changes) in datasets { printDataset(name, changes) }
    }

    private func datasetChanges(_ repository: Repository) async throws -> [(path: String, changes: DatasetChanges)] {
        guard let before = try? repository.resolve(old), let after = try? repository.resolve(new) else { return [] }
        let command = try DatasetCommand(repository)
        let wanted = try path.map { try Dataset.named($0, in: repository).path }
        return try await command.changes(before, after) { name in
            wanted.map { name == $0 || name.hasPrefix($0 + "/") || $0.hasPrefix(name + "/") } ?? true
        }
    }

    private func printDataset(_ name: String, _ changes: DatasetChanges) {
        let items =
            changes.added.map { ("added", $0) } + changes.changed.map { ("changed", $0) }
            + changes.removed.map { ("removed", $0) }
        if !json.isOn {
            let counts =
                "\(changes.added.count) added, \(changes.changed.count) changed, \(changes.removed.count) removed"
            print(Terminal.safe("\(name): \(counts)"))
        }
        for (state, path) in items {
            if json.isOn {
                print(["kind": "dataset", "key": .string("\(name)/\(path)"), "state": .string(state)] as JSON)
            } else {
                print(Terminal.safe("  \(state) \(path)"))
            }
        }
    }

    private func compareRuns(_ store: RunStore) async throws {
        let selection = RunSelection(store: store)
        let runs = [try selection.run(old), try selection.run(new)]
        let rows = RunComparison(runs: runs).rows(all: all)
        if json.isOn {
            for row in rows {
                let pair: JSON = [
                    "kind": .string(row.kind), "key": .string(row.key), "old": row.values[0], "new": row.values[1],
                ]
                print(pair)
            }
        } else if rows.isEmpty {
            print("The two runs do not differ.")
        } else {
            var table = Table(["", ""] + RunLabels.of(runs).map { Terminal.safe($0) } + [""])
            for row in rows { table.add([row.kind, row.key] + row.cells + [Self.verdict(row)]) }
            table.print()
        }
        if code { try await printCode(store.repository, from: runs[0].commit, to: runs[1].commit) }
    }

    /// By how much a metric changed, and whether for the better.
    private static func verdict(_ row: RunComparison.Row) -> String {
        guard row.kind == "metric", !row.isEqual, let x = row.values[0].double, let y = row.values[1].double,
            !(y - x).isNaN
        else { return "" }
        return (y > x ? "+" : "") + RunTable.text(y - x) + (row.best == [1] ? " better" : " worse")
    }

    private func printCode(_ repository: Repository, from old: ObjectID, to new: ObjectID) async throws {
        let words = ["--no-ext-diff", "--no-textconv", "--end-of-options", old.hex, new.hex]
        guard json.isOn else {
            let stat = try await repository.git.run(["diff", "--no-color", "--stat"] + words)
            for line in stat.split(separator: "\n") { print(Terminal.safe(String(line))) }
            return
        }
        let stat = try await repository.git.run(["diff", "--numstat", "--no-renames", "-z"] + words)
        for entry in stat.split(separator: "\0") {
            let parts = entry.split(separator: "\t", maxSplits: 2)
            guard parts.count == 3 else { continue }
            let file: JSON = [
                "kind": "file", "key": .string(String(parts[2])),
                "added": Int64(parts[0]).map { .int($0) } ?? .null,
                "deleted": Int64(parts[1]).map { .int($0) } ?? .null,
            ]
            print(file)
        }
    }
}
