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

    @Argument(help: "The model, or with the version in it: NAME@VERSION, models:/NAME/N.")
    var model: ModelArgument

    @Argument(help: "The version; left out where the model's name says it.")
    var version: String?

    @OptionGroup var options: TagOptions

    func run() async throws {
        guard let version = try model.version(or: version) else { throw ValidationError("say which version") }
        let models = try ModelProject.current()
        let name = try models.entry(model.name).name
        let number = try number(version, of: name, in: models.registry)
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

    private func number(_ version: String, of name: ModelName, in registry: Registry) throws -> SemanticVersion {
        if let number = SemanticVersion(version) { return number }
        guard let address = try? ModelAddress(version), !address.isBare, address.model == name else {
            throw ValidationError("“\(version)” is no semantic version such as v1.2.0")
        }
        let found = try address.resolve(in: registry, declared: [name])
        guard let number = found.version?.version else {
            throw ValidationError("the commit of \(address) has no version")
        }
        return number
    }
}
