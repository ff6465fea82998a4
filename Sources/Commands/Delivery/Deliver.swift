internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Models

struct Deliver: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Deliver one stage now, on this machine",
        discussion: """
            The same steps as a runner's, with the same checks, for what the stage's newest tag says; the time that `nightly`
            names is not waited for. What has been delivered already is not delivered again.

              $ git ml deliver churn#prod
              $ git ml deliver churn#prod --repo https://github.com/acme/churn

            Exit statuses: 1 when it did not succeed, 3 when nothing is staged there.
            """)

    @Argument(help: "MODEL#STAGE.")
    var stage: StageName

    @OptionGroup var options: RunnerOptions

    func run() async throws {
        var wanted = Runner.Options()
        wanted.only = (stage.model, stage.stage)
        do {
            let runner = try await options.place().runner(wanted)
            try await runner.pass(always: true)
        } catch let interruption as GateInterrupted {
            throw ExitCode(128 + interruption.signal)
        }
        let repository = try options.repository()
        let models = try ModelProject(repository)
        guard let assignment = try models.entry(stage.model).desired[stage.stage] else {
            throw ModelFailure.unknownStage(stage.stage, known: Array(models.project.stages.keys))
        }
        let record = try DeliveryLog(repository).deliveries(of: assignment.commit).filter {
            $0.tag == assignment.tagID.hex
        }.max { $0.started < $1.started }
        guard let record else { throw ExitCode(1) }
        print("\(record.name): \(record.status)" + ((record.reason ?? record.target).map { ": \($0)" } ?? ""))
        if record.status != "succeeded" { throw ExitCode(1) }
    }
}
