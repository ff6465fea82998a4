internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models

struct ModelList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "List models, their latest version and what is in each stage",
        discussion: """
            What is in a stage is told as GTO tells it, by the dates of tags; what a runner deploys goes by their counters.
            Where the two differ, a line below the table says so.

              $ git ml models
              $ git ml models --all --json
            """)

    @Flag(help: "All versions that are in a stage, not only the current one.")
    var all = false

    @OptionGroup var json: JSONOption

    func run() throws {
        let entries = try ModelProject.current().entries
        if json.isOn {
            for model in entries { print(model.json(all: all)) }
            return
        }
        var table = Table(["MODEL", "LATEST", "STAGE", "VERSION", "COMMIT", "SINCE", "BY"])
        for model in entries { add(model, to: &table) }
        if table.isEmpty {
            print("No models yet: `git ml register NAME` makes the first version.")
        } else {
            table.print()
        }
        for model in entries { for line in model.disputes { print(Terminal.safe(line)) } }
    }

    private func add(_ model: ModelEntry, to table: inout Table) {
        let name = "\(model.name)" + (model.isDeprecated ? " (deprecated)" : "")
        let latest = model.latest.map { "\($0.version)" } ?? ""
        if model.stages.isEmpty { table.add([name, latest, "", "", "", "", ""]) }
        for (stage, assignments) in model.stages.sorted(by: { $0.key < $1.key }) {
            for assignment in assignments.prefix(all ? .max : 1) {
                table.add([
                    name, latest, stage, assignment.version.map { "\($0)" } ?? "", assignment.commit.short,
                    assignment.time.minutes, assignment.by ?? "",
                ])
            }
        }
    }
}

extension ModelEntry {
    /// A sentence for each stage where the dates of tags and their counters disagree.
    var disputes: [String] {
        disputedStages.map { stage in
            func name(_ assignment: Assignment) -> String {
                "\(assignment.version.map { "\($0)" } ?? assignment.commit.short) (\(assignment.tag))"
            }
            let current = stages[stage]?.first.map(name)
            return switch (current, desired[stage].map(name)) {
            case (let current?, let desired?):
                "\(self.name)#\(stage): by date \(current) is in the stage, by counter \(desired); a runner deploys the latter"
            case (let current?, nil):
                "\(self.name)#\(stage): by date \(current) is in the stage, by counter nothing; a runner deploys nothing"
            case (nil, let desired?):
                "\(self.name)#\(stage): by date nothing is in the stage, by counter \(desired); a runner deploys it"
            case (nil, nil): ""
            }
        }
    }
}
