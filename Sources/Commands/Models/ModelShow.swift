internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Models
internal import Runs

struct ModelShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Show a model: versions, stages, the run behind each, its data, its image and where it is deployed",
        discussion: """
            Images and deployments are those that the delivery events in this clone tell of.

              $ git ml model churn
              $ git ml model 'churn#prod'
              $ git ml model churn --all --json
            """)

    @Argument(help: "NAME for the whole model; NAME@VERSION or NAME#STAGE for one version.")
    var model: String

    @Flag(help: "All versions, not only the ten latest and those in a stage.")
    var all = false

    @OptionGroup var json: JSONOption

    func run() throws {
        let store = try RunStore.current()
        let models = try ModelProject(store.repository)
        let address = try ModelAddress(model)
        let entry = try models.entry("\(address.model)")
        let view = try ModelView(entry, models, store)
        var commits = view.commits
        if !address.isBare {
            commits = [try address.resolve(in: models.registry, declared: models.project.models.keys).commit]
        } else if !all {
            commits = view.recent(commits, limit: 10)
        }
        let details = commits.map(view.detail)
        if json.isOn {
            print(view.json(details))
        } else {
            view.print(details, leftOut: address.isBare ? view.commits.count - details.count : 0)
        }
    }
}
