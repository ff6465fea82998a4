internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs

struct Unstage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take a version of a model out of a stage, by a tag",
        discussion: """
            Makes the tag NAME#STAGE!#N. What is deployed stays where it is; a runner deploys nothing to the stage until
            something is staged again.

              $ git ml unstage churn#prod
              $ git ml unstage churn staging v1.1.0 --push
            """)

    @Argument(help: "The model; NAME#STAGE says the stage besides, NAME@VERSION which version.")
    var model: ModelArgument

    @Argument(help: "The stage; left out behind NAME#STAGE.")
    var stage: String?

    @Argument(help: "A version or commit that is in the stage; default: the current one.")
    var version: String?

    @OptionGroup var options: TagOptions

    /// The stage, and the version if one was named.
    private func meant() throws -> (stage: String, version: String?) {
        if case .stage(let named) = model.address?.selector {
            guard stage == nil else { throw ValidationError("“\(model.name)#\(named)” says which stage") }
            return (named, nil)
        }
        guard let stage else { throw ValidationError("say which stage: \(model.name)#prod") }
        return (stage, try model.version(or: version))
    }

    func run() async throws {
        let models = try ModelProject.current()
        let repository = models.repository
        let (stage, version) = try meant()
        let entry = try models.entry(model.name)
        let name = entry.name
        let staged = [entry.desired[stage]].compactMap(\.self) + (entry.stages[stage] ?? [])
        guard let current = staged.first else {
            throw ModelAddressFailure.emptyStage(
                name, stage, known: Set(entry.stages.keys).union(entry.desired.keys).sorted())
        }
        var commit = current.commit
        if let version {
            commit = try Candidate.find(
                version, of: name, path: models.path(of: name), registry: models.registry,
                repository: repository, runs: { try RunStore.current() }
            ).commit
            guard staged.contains(where: { $0.commit == commit }) else {
                throw UnstageFailure(model: name, stage: stage, version: version, staged: staged)
            }
        }
        try await TagMaking(repository: repository, options: options).make {
            let models = try ModelProject(repository)
            let tag = ModelTag(name, .unassign(stage: stage), counter: models.registry.nextCounter(of: name))
            let message = StageMessage(
                title: options.message ?? "Take \(name) out of \(stage)", tag: tag, commit: commit, models: models)
            return TagDraft(
                tag: tag, commit: commit, message: message.text, after: models.registry.models[name]?.lastChange)
        }
        guard !options.json.isOn, !options.dryRun else { return }
        // GTO leaves earlier versions in a stage when a later one joins them.
        for rest in try ModelProject(repository).registry.models[name]?.stages[stage] ?? [] {
            let label = rest.version.map { "\($0)" } ?? rest.commit.short
            print(
                rest.commit == commit
                    ? "GTO still shows \(label) in \(stage): it does not count the end of a commit without a version"
                    : "GTO still shows \(label) in \(stage): git ml unstage \(name) \(stage) \(label)")
        }
    }
}

/// A version that is not in the stage that it is to leave.
private struct UnstageFailure: Failure {
    let model: ModelName
    let stage: String
    let version: String
    let staged: [Assignment]

    var kind: FailureKind { .notFound }
    var description: String { "“\(version)” of \(model) is not in the stage “\(stage)”" }
    var hints: [String] {
        var seen: Set<String> = []
        let labels = staged.map { $0.version.map { "\($0)" } ?? $0.commit.short }.filter { seen.insert($0).inserted }
        return ["in it are \(labels.joined(separator: ", "))"]
    }
}
