public import ArgumentParser
internal import GitKit
public import Models

struct Register: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give a model's commit a version, by a tag",
        discussion: """
            Makes the tag NAME@vX.Y.Z; a plain `git tag -a` of that form does the same.

              $ git ml register churn
              $ git ml register churn HEAD~1 --bump major --push
            """)

    @Argument(help: "The model, as ml.yaml names it.")
    var model: String

    @Argument(help: "The commit.")
    var revision = "HEAD"

    @Option(help: "The version; default: the next one.")
    var version: String?

    @Option(help: "Which part of the latest version goes up: major, minor or patch.")
    var bump: SemanticVersion.Part = .minor

    @OptionGroup var options: TagOptions

    func run() async throws {
        let repository = try Repository.current()
        let (name, settings) = try Project.inWorkTree(of: repository).model(model)
        let commit = try repository.resolve(revision)
        guard try repository.entry(settings.path, in: commit) != nil else {
            throw ModelFailure.noFile(path: settings.path, commit: commit.short)
        }
        let entry = Registry(try repository.tags()).models[name]
        var number = entry?.versions.map(\.version).max()?.bumped(bump) ?? SemanticVersion(1, 0, 0)
        if let version {
            guard let given = SemanticVersion(version) else {
                throw ValidationError("“\(version)” is no semantic version such as 1.2.0")
            }
            number = given
        }
        try await TagMaking(repository: repository, options: options).make(
            ModelTag(name, .register(number)), on: commit,
            message: options.message ?? "Register \(name) \(number)\n")
    }
}

extension SemanticVersion.Part: ExpressibleByArgument {}
