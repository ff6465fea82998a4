internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models

struct ModelList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "List models, their latest version and what is in each stage",
        discussion: """
              $ git ml models
              $ git ml models --all --json
            """)

    @Flag(help: "All assignments of a stage, not only the current one.")
    var all = false

    @OptionGroup var json: JSONOption

    func run() throws {
        let repository = try Repository.current()
        let project = try Project.inWorkTree(of: repository)
        let models = Registry(try repository.tags(), allowLight: project.allowsLightTags).models.values
            .sorted { $0.name < $1.name }
        if json.isOn {
            for model in models { print(model.json(all: all)) }
            return
        }
        var table = Table(["MODEL", "LATEST", "STAGE", "VERSION", "COMMIT", "SINCE", "BY"])
        for model in models {
            let latest = model.latest.map { "\($0.version)" } ?? ""
            if model.stages.isEmpty { table.add(["\(model.name)", latest, "", "", "", "", ""]) }
            for (stage, assignments) in model.stages.sorted(by: { $0.key < $1.key }) {
                for assignment in assignments.prefix(all ? .max : 1) {
                    table.add([
                        "\(model.name)", latest, stage,
                        model.version(at: assignment.commit).map { "\($0.version)" } ?? "",
                        assignment.commit.short, assignment.time.minutes, assignment.by ?? "",
                    ])
                }
            }
        }
        if table.isEmpty {
            print("No models yet: `git ml register NAME` makes the first version.")
        } else {
            table.print()
        }
    }
}
