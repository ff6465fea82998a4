internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs
internal import Storage
internal import SystemPackage

struct Reproduce: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a recorded command again and compare what comes of it",
        discussion: """
            In a clean work tree of the recorded code, with the recorded data and parameters; your own work tree stays as it
            is. The new run is linked to the old one. Outputs are compared by their digests, metrics by their last values.

              $ git ml reproduce gbm-3
              $ git ml reproduce best:metrics.auc --env --tolerance 1e-6
              $ git ml reproduce HEAD -- python train.py

            Exit status: 0 when the run was reproduced, 1 when it differs or could not be run.
            """)

    @Argument(help: "The run: the beginning of its id, its name, a commit, best:metrics.KEY.")
    var name: String

    @Flag(help: "Rebuild the environment from uv.lock, requirements.lock or requirements.txt.")
    var env = false

    @Option(help: "The largest relative difference of a metric that counts as none.")
    var tolerance = 0.0

    @Flag(help: "Leave the work tree where it is.")
    var keep = false

    @OptionGroup var json: JSONOption

    @Argument(parsing: .postTerminator, help: "A command to run in place of the recorded one.")
    var command: [String] = []

    func validate() throws {
        guard tolerance >= 0, tolerance.isFinite else { throw ValidationError("--tolerance is a number from 0 on") }
    }

    func run() async throws {
        let repository = try Repository.current()
        let run = try RunSelection(store: .current()).run(name)
        let project = try (try? Project.at(run.commit, in: repository)) ?? Project.inWorkTree(of: repository)
        let reproduction = Reproduction(
            of: run, in: repository, settings: project.record, modelPaths: project.modelPaths,
            remote: try? DataRemote(repository, project: Project.inWorkTree(of: repository)).resolve())
        var wish = Reproduction.Wish()
        wish.rebuildsEnvironment = env
        wish.tolerance = tolerance
        wish.keepsWorktree = keep
        wish.command = command
        if json.isOn { wish.output = .standardError }
        let report = try await reproduction.run(wish) { Terminal.error("git-ml: \(Terminal.safe($0))") }
        if report.new != nil { try reproduction.link(report, in: RunStore(repository)) }
        json.isOn ? print(report.json) : ReproductionText(report).print()
        if report.new?.status == "killed" { throw ExitCode(130) }
        switch report.verdict {
        case .reproduced, .withinTolerance: return
        case .different, .cannot: throw ExitCode(1)
        }
    }
}

/// The report as people read it.
private struct ReproductionText {
    private let report: ReproductionReport

    init(_ report: ReproductionReport) { self.report = report }

    func print() {
        var table = Table(["", "", "RECORDED", "NOW", ""])
        for item in report.environment {
            table.add(["environment", item.key, Environment.text(item.old), Environment.text(item.new), "differs"])
        }
        for metric in report.metrics {
            let values = [metric.old, metric.new].map { $0.map { text($0, metric.agreement) } ?? "" }
            table.add(["metric", metric.key] + values + [metric.agreement.rawValue])
        }
        for output in report.outputs {
            let digests = [output.old, output.new].map { $0?.short ?? "" }
            table.add(["output", output.path] + digests + [output.agreement.rawValue])
        }
        if !table.isEmpty { table.print() }
        for reason in report.reasons { Swift.print(Terminal.safe(reason)) }
        let new = report.new.map { "; the new run is \(RunLabels.short($0.id))" } ?? ""
        Swift.print("\(RunLabels.of(report.old)): \(report.verdict.rawValue)\(new)".terminalSafe)
    }

    /// All digits where they matter.
    private func text(_ value: Double, _ agreement: ReproductionReport.Agreement) -> String {
        agreement == .within || agreement == .different ? "\(value)" : RunTable.text(value)
    }
}

extension String {
    fileprivate var terminalSafe: String { Terminal.safe(self) }
}
