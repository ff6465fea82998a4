internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Models

struct Drift: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare what is staged, what is recorded and what is served",
        discussion: """
            Desired is what the tags say, recorded the latest delivery that went live, actual what the target answers when it
            is asked. Nothing is changed; `git ml runner --heal` deploys again what is recorded. What a target of the kind
            `local` serves is known on its runner's machine only.

              $ git ml drift
              $ git ml drift churn --json
              $ git ml drift --repo /srv/git/churn.git && git ml runner --once --heal --repo /srv/git/churn.git

            Exit statuses: 1 when something differs, 3 when there is no such model.
            """)

    @Argument(help: "Only this model.")
    var model: String?

    @OptionGroup var options: RunnerOptions
    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try options.repository()
        let name = try model.map { try ModelProject(repository).entry($0).name }
        let runner = try Runner(repository, places: options.places(repository)) { Terminal.error($0) }
        let drifts = try await runner.drift(of: name)
        if json.isOn {
            for drift in drifts { print(drift.json) }
        } else if drifts.isEmpty {
            print("Nothing is staged.")
        } else {
            Self.table(drifts).print()
        }
        if drifts.contains(where: { !$0.differences.isEmpty }) { throw ExitCode(1) }
    }

    private static func table(_ drifts: [StageDrift]) -> Table {
        var table = Table(["STAGE", "DESIRED", "RECORDED", "ACTUAL", "DIFFERENCE"])
        for drift in drifts {
            table.add([
                "\(drift.model)#\(drift.stage)", drift.desired?.tag ?? "-", drift.recorded?.name ?? "-",
                text(drift.actual), drift.differences.isEmpty ? "none" : drift.differences.joined(separator: "; "),
            ])
        }
        return table
    }

    private static func text(_ actual: StageDrift.Actual) -> String {
        switch actual {
        case .live(let live): "\(live.version.prefix(12)) \(live.isRunning ? "running" : "not running")"
        case .nothing: "nothing"
        case .unknown: "not known"
        case .notDeployed: "not deployed"
        case .unreachable: "no answer"
        }
    }
}
