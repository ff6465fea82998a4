internal import ArgumentParser
internal import Base
internal import Models

struct GateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gate",
        abstract: "Try a stage's gates before tagging",
        discussion: """
            The gates of ml.yaml on the remote's default branch, as the runner will try them, with both numbers of each
            comparison. Commands run in a clean checkout of the candidate, with a cleaned environment; data is brought from the
            data remote when it is not here.

              $ git ml gate churn prod
              $ git ml gate churn prod v1.2.0 --recorded
              $ git ml gate churn prod --work-tree        before new gates are pushed

            Exit status: 0 when all gates pass, 1 when one fails.
            """)

    @Argument(help: "The model, as ml.yaml names it.")
    var model: String

    @Argument(help: "The stage.")
    var stage: String

    @Argument(help: "A version, commit or run, or the #STAGE it is in now.")
    var candidate = "HEAD"

    @Flag(help: "Only what is recorded: expressions and signatures. Nothing is executed or fetched.")
    var recorded = false

    @Flag(help: "Go by ml.yaml as it is in the work tree, not by that of the protected branch.")
    var workTree = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let trial = try StageTrial(model: model, stage: stage, candidate: candidate, isOwn: workTree)
        let results = try await trial.results(recorded ? .recorded : .all)
        if json.isOn { for result in results { print(result.json) } } else { GateTable(results).print() }
        if results.contains(where: { !$0.isPassed }) { throw ExitCode(1) }
    }
}

/// Gates as people read them: a row each, and below them what the failing ones have to say besides.
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
