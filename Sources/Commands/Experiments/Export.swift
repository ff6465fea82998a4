internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs
internal import SystemPackage

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write runs into a file, or as an MLflow file store",
        discussion: """
            A file (.jsonl) holds the runs' event lines as they are, and their curves: git ml import takes them in elsewhere
            without a loss. --artifacts puts what the runs have left into FILE.objects beside it.
            A folder (a name that ends in /, or one that is there) becomes an MLflow file store, artifacts included; newer
            MLflow clients read one with MLFLOW_ALLOW_FILE_STORE=true.

              $ git ml export gbm-3 best:metrics.auc --to runs.jsonl
              $ git ml export --all --to mlruns/
              $ git ml export --filter "metrics.auc > 0.8" --to good.jsonl --artifacts
            """)

    @Argument(help: "Runs: an id's beginning, a name, a commit.")
    var names: [String] = []

    @Flag(help: "All runs; into a file, deleted ones too.")
    var all = false

    @Option(help: "The runs that a filter keeps.")
    var filter: String?

    @Option(help: "The file or folder.")
    var to: String

    @Flag(help: "Put what the runs have left beside the file.")
    var artifacts = false

    @OptionGroup var json: JSONOption

    func validate() throws {
        guard !names.isEmpty || all || filter != nil else {
            throw ValidationError("name the runs to export, or use --all or --filter")
        }
    }

    func run() async throws {
        let store = try RunStore.current()
        let target = FilePath(to)
        let isFolder = to.hasSuffix("/") || Files.status(target)?.kind == .directory
        let runs = try selected(store, deleted: all && !isFolder)
        var warnings: [String]
        if isFolder {
            var writer = try MLflowWriter(target, store: store)
            for run in runs { try await writer.write(run) }
            warnings = writer.warnings
        } else {
            warnings = try await RunArchive.write(runs, from: store, to: target, artifacts: artifacts).warnings
        }
        for warning in warnings { Terminal.error("git-ml: \(Terminal.safe(warning))") }
        if json.isOn {
            for run in runs { print(run.json) }
        } else {
            print("\(runs.count) run(s) written to \(Terminal.safe(to)).")
        }
    }

    /// The runs that were asked for, each once; those that go on have no lines in the notes yet and are left out.
    private func selected(_ store: RunStore, deleted: Bool) throws -> [Run] {
        let selection = RunSelection(store: store)
        var found = try names.flatMap { try selection.runs($0) }
        if all || filter != nil {
            var query = RunQuery()
            query.filter = try filter.map { try Filter($0) }
            found += try store.runs(query)
            if deleted {
                query.deleted = true
                found += try store.runs(query)
            }
        }
        var seen: Set<String> = []
        return found.filter { seen.insert($0.id).inserted }.sorted { ($0.started, $0.id) < ($1.started, $1.id) }
    }
}
