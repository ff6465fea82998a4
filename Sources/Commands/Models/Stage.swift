internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs

struct Stage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put a version of a model into a stage, by a tag",
        discussion: """
            Makes the tag NAME#STAGE#N, N being the model's next number; once it is pushed, a runner delivers it. Its message
            states which version, commit and content are meant and which tag it follows.

              $ git ml stage churn prod
              $ git ml stage churn prod v1.2.0 --push
              $ git ml stage models:/churn/2 prod
              $ git ml stage churn prod '#staging' --sign --expires 90d

            Exit statuses: 3 when there is no such model, stage, version, commit or run, 4 when the push failed.
            """)

    @Argument(help: "The model, as ml.yaml names it; with the version in it: NAME@VERSION, NAME#STAGE, models:/NAME/N.")
    var model: ModelArgument

    @Argument(help: "The stage.")
    var stage: String

    @Argument(help: "A version, commit or run, or the #STAGE it is in now; default: the latest version.")
    var version: String?

    @Option(help: "When the assignment ends to be valid: 90d, 2027-01-31 or 2027-01-31T12:00:00Z.")
    var expires: ExpiryOption?

    @OptionGroup var options: TagOptions

    func run() async throws {
        let models = try ModelProject.current()
        let repository = models.repository
        let (entry, path) = try models.declared(model.name)
        let name = entry.name
        guard models.project.stage(stage, of: name) != nil else {
            throw ModelFailure.unknownStage(stage, known: Array(models.project.stages.keys))
        }
        if let expires, expires.time <= .now() { throw ValidationError("--expires lies in the past") }
        let commit = try Candidate.find(
            model.version(or: version), of: name, path: path, registry: models.registry, repository: repository,
            runs: { try RunStore.current() }
        ).commit
        guard let digest = try repository.modelDigest(path, at: commit) else {
            throw ModelFailure.noFile(path: path, commit: commit.short)
        }
        try await TagMaking(repository: repository, options: options).make {
            let models = try ModelProject(repository)
            let tag = ModelTag(name, .assign(stage: stage), counter: models.registry.nextCounter(of: name))
            let message = StageMessage(
                title: options.message ?? "Stage \(name) in \(stage)", tag: tag, commit: commit, models: models,
                digest: digest, expires: expires?.time)
            return TagDraft(
                tag: tag, commit: commit, message: message.text, after: models.registry.models[name]?.lastChange)
        }
    }
}
