internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Models
internal import Runs

struct Rollback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put the version before back into a stage",
        discussion: """
            A step forward: the tag with the model's next number names the older version, and holds what it replaces, so that no
            automation deploys that content again until somebody stages it anew. Without TO it is what was last delivered
            to the stage before the version that is there now.

              $ git ml rollback churn#prod --push
              $ git ml rollback churn#prod v1.1.0 -m 'wrong prices since Monday'

            Exit statuses: 1 when there is nothing to go back to, 3 when there is no such stage or version, 4 when the push failed.
            """)

    @Argument(help: "MODEL#STAGE.")
    var stage: StageName

    @Argument(help: "The version, commit or run to go back to.")
    var to: String?

    @OptionGroup var options: TagOptions

    func run() async throws {
        let models = try ModelProject.current()
        let repository = models.repository
        let (entry, path) = try models.declared(stage.model)
        guard let current = entry.desired[stage.stage] else {
            throw ModelFailure.unknownStage(stage.stage, known: Array(entry.desired.keys))
        }
        let commit = try target(entry, path, current, models)
        guard let digest = try repository.modelDigest(path, at: commit) else {
            throw ModelFailure.noFile(path: path, commit: commit.short)
        }
        let bad = try repository.modelDigest(path, at: current.commit)
        try await TagMaking(repository: repository, options: options).make {
            let models = try ModelProject(repository)
            let tag = ModelTag(
                entry.name, .assign(stage: stage.stage), counter: models.registry.nextCounter(of: entry.name))
            var message = StageMessage(
                title: options.message ?? "Roll \(entry.name) in \(stage.stage) back from \(current.label)", tag: tag,
                commit: commit, models: models, digest: digest)
            message.hold = bad == digest ? nil : bad
            return TagDraft(
                tag: tag, commit: commit, message: message.text, after: models.registry.models[entry.name]?.lastChange)
        }
    }

    private func target(_ entry: ModelEntry, _ path: String, _ current: Assignment, _ models: ModelProject) throws
        -> ObjectID
    {
        if let to {
            return try Candidate.find(
                to, of: entry.name, path: path, registry: models.registry, repository: models.repository,
                runs: { try RunStore.current() }
            ).commit
        }
        try NotesSync(models.repository).mergeFetched()
        let before = try DeliveryLog(models.repository).all().first {
            $0.model == "\(entry.name)" && $0.stage == stage.stage && $0.status == "succeeded"
                && $0.commit != current.commit
        }
        guard let before else { throw NothingBefore(stage: "\(entry.name)#\(stage.stage)") }
        return before.commit
    }
}

/// A stage to which nothing else has been delivered.
struct NothingBefore: Failure {
    let stage: String
    var kind: FailureKind { .user }
    var description: String { "nothing else has been delivered to \(stage) that it could go back to" }
    var hints: [String] {
        ["name a version: `git ml rollback \(stage) v1.0.0`", "`git fetch` brings what others know"]
    }
}
