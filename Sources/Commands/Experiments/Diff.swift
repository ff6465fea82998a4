internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs

struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare two experiments: parameters, metrics, data, model",
        discussion: """
            Only what differs is printed.

              $ git ml diff HEAD~1 HEAD
            """)

    @Argument(help: "The older one: a commit, branch or tag.")
    var old = "HEAD~1"

    @Argument(help: "The newer one.")
    var new = "HEAD"

    @OptionGroup var json: JSONOption

    func run() throws {
        let repository = try Repository.current()
        try NotesSync(repository).mergeFetched()
        let log = RunLog(repository)
        let runs = try [old, new].map { revision in
            let commit = try repository.resolve(revision)
            guard let run = try log.run(behind: commit) else { throw NoRun(commit: commit.short) }
            return run
        }
        let rows = Self.rows(runs[0], runs[1])
        if json.isOn {
            for row in rows {
                print(
                    [
                        "kind": .string(row[0]), "key": .string(row[1]), "old": .string(row[2]),
                        "new": .string(row[3]),
                    ] as JSON)
            }
        } else if rows.isEmpty {
            print("The two experiments do not differ.")
        } else {
            var table = Table(["", "", runs[0].commit.short, runs[1].commit.short, ""])
            for row in rows { table.add(row) }
            table.print()
        }
    }

    /// What differs: kind, key, old, new, remark.
    private static func rows(_ a: Run, _ b: Run) -> [[String]] {
        var rows: [[String]] = []
        for key in Set(a.params.keys).union(b.params.keys).sorted() where a.params[key] != b.params[key] {
            rows.append(["param", key, a.params[key] ?? "", b.params[key] ?? "", ""])
        }
        for key in Set(a.values.keys).union(b.values.keys).sorted() where a.values[key] != b.values[key] {
            let (x, y) = (a.values[key], b.values[key])
            rows.append(["metric", key, x.map(RunTable.text) ?? "", y.map(RunTable.text) ?? "", verdict(key, x, y)])
        }
        let (old, new) = (files(a), files(b))
        for path in Set(old.keys).union(new.keys).sorted() where old[path]?.digest != new[path]?.digest {
            let item = new[path] ?? old[path]
            func text(_ item: RunItem?) -> String {
                item.map { "\($0.digest.short) \(ByteCount.format($0.size))" } ?? ""
            }
            rows.append([item?.role.rawValue ?? "", path, text(old[path]), text(new[path]), ""])
        }
        return rows
    }

    private static func files(_ run: Run) -> [String: RunItem] {
        Dictionary((run.inputs + run.outputs).map { ($0.path, $0) }) { $1 }
    }

    private static func verdict(_ metric: String, _ x: Double?, _ y: Double?) -> String {
        guard let x, let y, !(y - x).isNaN else { return "" }
        let isBetter = RunTable.isLowerBetter(metric) ? y < x : y > x
        return (y > x ? "+" : "") + RunTable.text(y - x) + (isBetter ? " better" : " worse")
    }
}
