internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs
internal import Storage

struct GateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gate",
        abstract: "Try a stage's gates before tagging",
        discussion: """
            The gates of ml.yaml in the work tree, with both numbers of each comparison. Commands run in a clean checkout of
            the candidate, with a cleaned environment; data is brought from the data remote when it is not here.

              $ git ml gate churn prod
              $ git ml gate churn prod HEAD --recorded

            Exit status: 0 when all gates pass, 1 when one fails.
            """)

    @Argument(help: "The model.")
    var model: String

    @Argument(help: "The stage.")
    var stage: String

    @Argument(help: "The commit.")
    var revision = "HEAD"

    @Flag(help: "Only what is recorded: expressions and signatures. Nothing is executed or fetched.")
    var recorded = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let store = try RunStore.current()
        let repository = store.repository
        let project = try Project.inWorkTree(of: repository)
        let (name, model) = try project.model(model)
        guard let settings = project.stage(stage, of: name) else {
            throw ModelFailure.unknownStage(stage, known: Array(project.stages.keys))
        }
        let registry = Registry(try repository.tags(), allowLight: project.allowsLightTags)
        let check = GateCheck(
            repository, store: store, registry: registry,
            remote: { try DataRemote(repository, project: project).own() },
            say: { Terminal.error("git-ml: \(Terminal.safe($0))") })
        let results = try await check.check(
            settings, model: name, path: model.path, candidate: repository.resolve(revision),
            current: registry.models[name]?.desired[stage]?.commit, kinds: recorded ? .recorded : .all)
        json.isOn ? results.forEach { print($0.json) } : GateTable(results).print()
        if results.contains(where: { !$0.isPassed }) { throw ExitCode(1) }
    }
}

/// Gates as people read them: a row each, and below it what a failing one has to say besides.
struct GateTable {
    private let results: [GateResult]

    init(_ results: [GateResult]) { self.results = results }

    func print() {
        guard !results.isEmpty else { return Swift.print("The stage has no gates of this kind.") }
        var table = Table(["", "GATE", "SAW"])
        for result in results { table.add([result.isPassed ? "pass" : "fail", result.text, result.detail]) }
        table.print()
        for result in results where !result.isPassed && !result.lines.isEmpty {
            Swift.print("\n" + Terminal.safe(result.text))
            for line in result.lines { Swift.print("  " + Terminal.safe(line)) }
        }
        let failed = results.filter { !$0.isPassed }.count
        if failed > 0 { Swift.print("\n\(failed) of \(results.count) gate(s) failed") }
    }
}
