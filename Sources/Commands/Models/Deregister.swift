internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models

struct Deregister: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take a version of a model back, by a tag",
        discussion: """
            Makes the tag NAME@vX.Y.Z!, with a number behind it when that is there already. The version stays in the history,
            and is neither the latest nor shown in a stage any more; `git ml register` brings it back.

              $ git ml deregister churn v1.2.0 --push
            """)

    @Argument(help: "The model.")
    var model: String

    @Argument(help: "The version.")
    var version: String

    @OptionGroup var options: TagOptions

    func run() async throws {
        guard let number = SemanticVersion(version) else {
            throw ValidationError("“\(version)” is no semantic version such as v1.2.0")
        }
        let models = try ModelProject.current()
        let name = try models.entry(model).name
        try await TagMaking(repository: models.repository, options: options).make {
            let registry = try ModelProject(models.repository).registry
            let found = try ModelAddress("\(name)@\(number)").resolve(in: registry, declared: [name])
            let plain = ModelTag(name, .deregister(number))
            let isTaken = try models.repository.ref("refs/tags/\(plain)") != nil
            return TagDraft(
                tag: isTaken ? ModelTag(name, .deregister(number), counter: registry.nextCounter(of: name)) : plain,
                commit: found.commit, message: (options.message ?? "Deregister \(name) \(number)") + "\n",
                after: found.entry.lastChange)
        }
    }
}
