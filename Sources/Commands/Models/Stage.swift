internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Runs

struct Stage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put a version of a model into a stage, by a tag",
        discussion: """
            Makes the tag NAME#STAGE#N, N being the model's next number; once it is pushed, a runner delivers it.

              $ git ml stage churn prod
              $ git ml stage churn prod v1.2.0 --push
            """)

    @Argument(help: "The model, as ml.yaml names it.")
    var model: String

    @Argument(help: "The stage.")
    var stage: String

    @Argument(help: "A version, commit or run, or the #STAGE it is in now; default: the latest version.")
    var version: String?

    @OptionGroup var options: TagOptions

    func run() async throws {
        let repository = try Repository.current()
        let project = try Project.inWorkTree(of: repository)
        let (name, settings) = try project.model(model)
        guard project.stage(stage, of: name) != nil else {
            throw ModelFailure.unknownStage(stage, known: Array(project.stages.keys))
        }
        let registry = Registry(try repository.tags(), allowLight: project.allowsLightTags)
        let entry = registry.models[name]
        let commit = try Candidate.find(
            version, of: name, path: settings.path, registry: registry, repository: repository,
            runs: { try RunStore.current() }
        ).commit
        guard let file = try repository.entry(settings.path, in: commit) else {
            throw ModelFailure.noFile(path: settings.path, commit: commit.short)
        }
        let tag = ModelTag(name, .assign(stage: stage), counter: entry?.nextCounter ?? 1)
        let statement: [(String, String)] = [
            ("git-ml-stage", "1"), ("repo", project.repositoryID ?? ""), ("model", "\(name)"),
            ("version", entry?.version(at: commit).map { "\($0.version)" } ?? ""), ("stage", stage),
            ("counter", "\(tag.counter ?? 1)"), ("commit", commit.hex), ("model-digest", try digest(file, repository)),
            ("previous", entry?.desired[stage]?.tagID.hex ?? ""),
        ]
        let lines = statement.filter { !$0.1.isEmpty }.map { "\($0.0): \($0.1)" }.joined(separator: "\n")
        try await TagMaking(repository: repository, options: options).make(
            tag, on: commit, message: (options.message ?? "Stage \(name) in \(stage)") + "\n\n" + lines + "\n")
    }

    private func digest(_ file: TreeEntry, _ repository: Repository) throws -> String {
        guard file.mode != .directory else { return "" }
        let blob = try repository.blob(file.id)
        return ((try? Pointer.parse(blob, path: file.name))?.digest ?? Base.Digest.of(blob)).description
    }
}
