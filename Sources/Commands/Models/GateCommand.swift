internal import ArgumentParser
internal import Base
internal import Models

struct GateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gate",
        abstract: "Try a stage's gates before tagging",
        discussion: """
            The gates of ml.yaml on the remote's default branch, as the runner will try them, with both numbers of each
            comparison. Commands run in a clean checkout of the candidate; data is brought from the data remote when it is not
            here.

            A command is code of whoever may push. It gets PATH, a home of its own and no other variables, and ends at its
            limits: limits: {time: 10m, memory: 4GB, processes: 200, file_size: 2GB} (30 minutes, no limit, 4096, 100 GB).
            With bubblewrap installed it can read the machine, but not home folders, /run, /tmp, the git folder's settings or
            this work tree; it can write to its checkout only, and has no network unless limits: {network: true}. Without
            bubblewrap a runner that is root gives it another user; otherwise it may do what you may. The same holds for
            the command of evidence: rerun. `git config ml.gateSandbox require` refuses to run it without bubblewrap, off
            runs it without any.

              $ git ml gate churn prod
              $ git ml gate churn prod v1.2.0 --recorded
              $ git ml gate churn prod --work-tree        before new gates are pushed

            Exit status: 0 when all gates pass, 1 when one fails.
            """)

    @OptionGroup var options: TrialOptions

    @Flag(help: "Only what is recorded: expressions and signatures. Nothing is executed or fetched.")
    var recorded = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let trial = try StageTrial(options)
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
