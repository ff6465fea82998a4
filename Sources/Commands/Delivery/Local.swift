internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit

struct Local: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List or stop what a runner serves on this machine",
        discussion: """
            Servers stay up by themselves, whatever becomes of the runner. Stopping lets them answer what they have.

              $ git ml local --repo /srv/git/churn.git
              $ git ml local --stop
            """)

    @Flag(help: "Stop all of it.")
    var stop = false

    @OptionGroup var options: RunnerOptions
    @OptionGroup var json: JSONOption

    func run() async throws {
        let places = try options.places(options.repository())
        let targets = try LocalTarget.all(state: places.state, program: places.program)
        var table = Table(["MODEL", "STAGE", "VERSION", "REVISION", "ADDRESS", "STATE"])
        for target in targets {
            guard let status = try target.status() else { continue }
            let wasStopped = stop ? try await target.stop() : false
            let state = wasStopped ? "stopped" : !stop && status.isRunning ? "running" : "not running"
            if json.isOn {
                print(
                    [
                        "model": .string(status.model), "stage": .string(status.stage),
                        "version": .string(status.version), "commit": .string(status.revision),
                        "address": .optional(status.address), "pid": .int(Int64(status.process)),
                        "state": .string(state),
                    ] as JSON)
            }
            table.add([
                status.model, status.stage, String(status.version.prefix(12)), String(status.revision.prefix(10)),
                status.address ?? "", state,
            ])
        }
        if json.isOn { return }
        if table.isEmpty { print("Nothing is served here.") } else { table.print() }
    }
}
