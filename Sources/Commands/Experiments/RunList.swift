internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs

struct RunList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "List recorded runs, latest first",
        discussion: """
            Without --all: the runs along the history of HEAD. A filter compares metrics.KEY, params.KEY, tags.KEY and
            attributes (status, name, user, experiment, started, seconds, …) by = != < <= > >=, like, ilike, in and
            is null, joined by and, or and not.

              $ git ml runs --filter "metrics.auc > 0.8 and params.kind = 'gbm'" --sort metrics.auc --desc
              $ git ml runs --all --columns run,user,params.lr,metrics.auc --csv
              $ git ml runs --all --json
            """)

    @Flag(help: "Runs of all branches.")
    var all = false

    @Option(name: .shortAndLong, help: "Show those for which this holds.")
    var filter: String?

    @Option(help: "Order by a value, the least first; several are tried in turn.")
    var sort: [String] = []

    @Flag(help: "Order with the greatest first.")
    var desc = false

    @Option(name: .shortAndLong, help: "Show at most so many runs (tables: 100 unless told otherwise).")
    var limit: Int?

    @Option(help: "Show these values, such as run,user,params.lr,metrics.auc.")
    var columns: String?

    @Flag(help: "Print comma-separated values.")
    var csv = false

    @Flag(help: "Show deleted runs, and only those.")
    var deleted = false

    @OptionGroup var json: JSONOption

    func validate() throws {
        if desc, sort.isEmpty { throw ValidationError("--desc needs --sort") }
        if csv, json.isOn { throw ValidationError("--csv and --json exclude each other") }
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
    }

    func run() throws {
        var query = RunQuery()
        query.filter = try filter.map { try Filter($0) }
        query.sort = sort.map { RunQuery.SortKey($0, isDescending: desc) }
        for key in sort { _ = try RunColumn(key) }
        // A table of more is read by nobody; one run beyond it tells that there are more.
        query.limit = limit ?? (json.isOn || csv ? nil : Self.tableLength + 1)
        query.deleted = deleted
        let columns = try columns.map { try RunColumn.list($0) }
        let store = try RunStore.current()
        let head = try store.repository.head()
        if !all {
            guard let head else { return printNone(store, "The branch has no commits yet.") }
            query.scope = .history(head)
        }
        if json.isOn {
            try store.each(query) { run in print(columns.map { Self.json(run, $0) } ?? run.json) }
        } else if csv {
            try RunCSV(columns) { try store.each(query, $0) }.print()
        } else {
            try show(store.runs(query), columns, store)
        }
    }

    private static let tableLength = 100

    private func show(_ runs: [Run], _ columns: [RunColumn]?, _ store: RunStore) throws {
        if runs.isEmpty {
            printNone(store, filter != nil ? "No run matches." : deleted ? "No run is deleted." : "No runs yet.")
        } else {
            let shown = limit == nil ? Array(runs.prefix(Self.tableLength)) : runs
            RunTable(shown, .runs, columns: columns, isNested: sort.isEmpty).table().print()
            if shown.count < runs.count { Terminal.error("git-ml: there are more; --limit shows them") }
        }
    }

    private static func json(_ run: Run, _ columns: [RunColumn]) -> JSON {
        .object(columns.map { JSON.Member($0.name, $0.value(of: run)) })
    }

    private func printNone(_ store: RunStore, _ sentence: String) {
        if json.isOn || csv { return }
        var query = RunQuery()
        query.limit = 1
        let isElsewhere = !all && !deleted && (try? store.runs(query))?.isEmpty == false
        print(sentence + (isElsewhere ? " `git ml runs --all` lists those of other branches." : ""))
    }
}
