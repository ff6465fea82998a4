internal import ArgumentParser
internal import GitKit
internal import Models
internal import Runs

struct GateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gate",
        abstract: "Try a stage's gates before tagging",
        discussion: """
            Exits with 1 when a gate says no.

              $ git ml gate churn prod HEAD
            """)

    @Argument(help: "The model.")
    var model: String

    @Argument(help: "The stage.")
    var stage: String

    @Argument(help: "What to try: a commit, a version, #STAGE or a run.")
    var candidate = "HEAD"

    func run() throws {
        let store = try RunStore.current()
        let repository = store.repository
        let project = try Project.inWorkTree(of: repository)
        let (name, model) = try project.model(model)
        guard let settings = project.stage(stage, of: name) else {
            throw ModelFailure.unknownStage(stage, known: Array(project.stages.keys))
        }
        let registry = try Registry(repository, allowLight: project.allowsLightTags)
        let commit = try Candidate.find(
            candidate, of: name, path: model.path, registry: registry, repository: repository, runs: { store }
        ).commit
        let results = try GateCheck(store).check(
            settings, model: name, path: model.path, candidate: commit,
            current: registry.models[name]?.desired[stage]?.commit)
        for result in results { print(result.line) }
        if results.contains(where: { !$0.isPassed }) { throw ExitCode(1) }
    }
}
