internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models

struct Deprecate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say that a model is not to be used any more, by a tag",
        discussion: """
            Makes the tag NAME@deprecated, with a number behind it when that is there already. Versions and stages stay as they
            are; registering or staging the model again takes the deprecation back.

              $ git ml deprecate churn --message 'use churn-v2' --push
            """)

    @Argument(help: "The model.")
    var model: String

    @Argument(help: "The commit to put the tag on; default: that of the model's latest tag.")
    var revision: String?

    @OptionGroup var options: TagOptions

    func run() async throws {
        let models = try ModelProject.current()
        let repository = models.repository
        let entry = try models.entry(model)
        let name = entry.name
        guard !entry.isDeprecated else {
            if !options.json.isOn { print("\(name) is deprecated already") }
            return
        }
        let commit =
            try revision.map(repository.resolve) ?? entry.history.last?.event.commit ?? repository.resolve("HEAD")
        try await TagMaking(repository: repository, options: options).make {
            let registry = try ModelProject(repository).registry
            let plain = ModelTag(name, .deprecate)
            let isTaken = try repository.ref("refs/tags/\(plain)") != nil
            return try TagDraft(
                tag: isTaken ? ModelTag(name, .deprecate, counter: registry.nextCounter(of: name)) : plain,
                commit: commit, message: (options.message ?? "Deprecate \(name)") + "\n",
                after: lastSign(registry.models[name] ?? ModelEntry(name: name), repository))
        }
    }

    /// GTO holds a commit that is younger than the deprecation for a sign of life.
    private func lastSign(_ entry: ModelEntry, _ repository: Repository) throws -> Timestamp? {
        var commits = Set(entry.history.map(\.event.commit))
        if entry.artifact != nil, let head = try repository.head() { commits.insert(head) }
        let times = commits.compactMap { try? repository.commit($0).committer.time }
        return (times + [entry.lastChange].compactMap(\.self)).max()
    }
}
