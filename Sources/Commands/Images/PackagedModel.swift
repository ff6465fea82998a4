internal import Base
internal import Delivery
internal import GitKit
internal import Models
internal import Pointers
internal import Storage

/// The model that a command's argument names, at the commit that it means.
struct PackagedModel {
    let project: Project
    let entry: ModelEntry
    let settings: ModelSettings
    let commit: ObjectID
    /// The tag that led to it.
    let tag: String?

    /// Reads any name of a model (``ModelAddress``), or takes the model of that name at a commit; a model without a version is
    /// packaged as it is now.
    ///
    /// What a commit's own `ml.yaml` says of the model goes before the one of the work tree, but for who signs.
    init(_ text: String, at given: ObjectID? = nil, in repository: Repository) throws {
        project =
            try repository.workTree == nil
            ? repository.head().flatMap { try Project.at($0, in: repository) } ?? Project()
            : Project.inWorkTree(of: repository)
        let address = try ModelAddress(text)
        let registry = try Registry(repository, allowLight: project.allowsLightTags)
        let known = registry.models[address.model]
        if let given {
            (commit, tag) = (given, nil)
        } else if address.isBare, known?.latest == nil {
            (commit, tag) = (try repository.resolve("HEAD"), nil)
        } else {
            let found = try address.resolve(in: registry, declared: project.models.keys)
            (commit, tag) = (found.commit, found.assignment?.tag ?? found.version?.tag)
        }
        entry = known ?? ModelEntry(name: address.model)
        if var own = (try? Project.at(commit, in: repository))?.models[address.model] {
            own.package.sign = project.models[address.model]?.package.sign
            settings = own
        } else {
            settings = try project.model("\(address.model)").settings
        }
        guard try repository.entry(settings.path, in: commit) != nil else {
            throw ModelFailure.noFile(path: settings.path, commit: commit.short)
        }
    }

    /// Choices with which content that is not here is brought, with a bar while it lasts.
    func choices(_ repository: Repository) -> ModelPackage.Choices {
        var choices = ModelPackage.Choices()
        choices.tag = tag
        choices.fetch = { [project] pointers in
            let bar = ProgressBar("fetching")
            defer { bar.finish() }
            let remote = try DataRemote(repository, project: project).own()
            try await DataTransfer(repository, store: repository.contentStore, remote: remote) {
                bar.advance(by: $0, of: $1)
            }.fetch(pointers)
        }
        return choices
    }
}
