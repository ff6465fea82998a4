internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Runs
internal import SystemPackage

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take in runs that other tools have recorded, or data of another repository",
        discussion: """
            With the address of another repository and a path in it: brings that file or folder here, tracked and staged, and
            records where it came from; `git ml update` follows it.

              $ git ml import https://github.com/acme/data raw/train.csv --to data/train.csv
              $ git ml import ../labels images --rev v1.2

            Otherwise runs are taken in. A source is
              git-ml       a file of git ml export
              mlflow       an MLflow file store: mlruns/, or any folder of that form; runs keep their ids
              tensorboard  a folder with event files (events.out.tfevents.*) in it or below; each folder is a run
              dvclive      a folder that DVCLive has written
              dvc-exp      the word dvc-exp: the experiments of dvc exp in this repository
              wandb        JSON lines of Weights & Biases, one run a line:
                           {"id":"3k2j","name":"gbm-3","project":"churn","state":"finished",
                            "created_at":"2026-01-02T03:04:05Z","config":{"lr":0.1},"summary":{"auc":0.9},
                            "tags":["x"],"user":"ann","history":[{"_step":0,"_timestamp":1767323045.1,"auc":0.8}]}
                           Rows of the history can stand on lines of their own behind their run's; "_run" names it.
            The kind is recognised. A run stands on the commit that its source names if that is here, else on HEAD.
            Taking in the same source again changes nothing; a run that has grown is brought up to date. Runs that still go
            on are left out. Values whose names look secret are masked.

              $ git ml import mlruns/
              $ git ml import wandb-export.jsonl --experiment churn --dry-run
              $ git ml import dvc-exp --json
            """)

    @Argument(help: "Files and folders, or dvc-exp; or the address of a repository and a path in it.")
    var sources: [String]

    @Option(help: "The experiment to put the runs into.")
    var experiment: String?

    @Option(help: "The commit that is the runs' code.")
    var commit: String?

    @Option(help: "The kind of the sources: \(ImportFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var format: String?

    @OptionGroup var revision: RevisionOption

    @Option(help: "Where data of another repository goes.")
    var to: String?

    @Flag(help: "Replace data that is there.")
    var force = false

    @Flag(help: "Only tell what would be taken in.")
    var dryRun = false

    @OptionGroup var json: JSONOption

    func validate() throws {
        guard !sources.isEmpty else { throw ValidationError("name a file or folder to import") }
        let onlyData = revision.rev != nil || to != nil || force
        let onlyRuns = experiment != nil || commit != nil || format != nil || dryRun
        guard isData ? !onlyRuns : !onlyData else {
            throw ValidationError(
                isData
                    ? "--experiment, --commit, --format and --dry-run are for runs, not for data of another repository"
                    : "--rev, --to and --force go with the address of a repository and a path in it")
        }
        if let format, ImportFormat(rawValue: format) == nil {
            let all = ImportFormat.allCases.map(\.rawValue)
            throw ValidationError("--format is one of \(all.joined(separator: ", "))")
        }
    }

    /// Two words, and the first is a repository.
    private var isData: Bool {
        guard format == nil, sources.count == 2, let first = sources.first else { return false }
        return OriginAddress.names(first)
    }

    func run() async throws {
        if isData, let url = sources.first, let path = sources.last {
            return try await ImportData(
                url: url, source: path, revision: revision.rev, to: to, force: force, json: json.isOn
            ).run()
        }
        let store = try RunStore.current()
        var settings = RecordSettings()
        do {
            settings = try Project.inWorkTree(of: store.repository).record
        } catch let failure as any Failure {
            Terminal.error("git-ml: \(failure); importing with the defaults")
        }
        var runImport = RunImport(store, settings: settings, isDry: dryRun)
        runImport.experiment = experiment
        runImport.commit = try commit.map { try store.repository.resolve($0) }
        for source in sources {
            let path = FilePath(source)
            let kind = try format.flatMap { ImportFormat(rawValue: $0) } ?? RunImport.format(of: path)
            let outcome = try runImport.run(path, as: kind)
            for warning in outcome.warnings { Terminal.error("git-ml: \(Terminal.safe(warning))") }
            json.isOn ? printJSON(outcome) : printText(outcome, source)
        }
    }

    private func printJSON(_ outcome: RunImport.Outcome) {
        for (run, isNew) in outcome.runs {
            let members = (run.json.members ?? []) + [JSON.Member("new", .bool(isNew))]
            print(JSON.object(members))
        }
    }

    private func printText(_ outcome: RunImport.Outcome, _ source: String) {
        if dryRun, !outcome.runs.isEmpty { RunTable(outcome.runs.map(\.run), .runs).table().print() }
        let new = outcome.runs.count { $0.isNew }
        let verb = dryRun ? "would be taken in" : "taken in"
        var text = "\(Terminal.safe(source)): \(new) run(s) \(verb)"
        if outcome.runs.count > new { text += ", \(outcome.runs.count - new) known already" }
        if outcome.newLines > 0, new == 0 { text += " and brought up to date" }
        print(text + ".")
    }
}
