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

    /// Reads `NAME`, `NAME@VERSION` or `NAME#STAGE`, or takes the model of that name at a commit.
    ///
    /// What a commit's own `ml.yaml` says of the model goes before the one of the work tree.
    init(_ text: String, at given: ObjectID? = nil, in repository: Repository) throws {
        let mark = text.firstIndex { "@#".contains($0) } ?? text.endIndex
        project =
            try repository.workTree == nil
            ? repository.head().flatMap { try Project.at($0, in: repository) } ?? Project()
            : Project.inWorkTree(of: repository)
        let tags = Registry(try repository.tags(), allowLight: project.allowsLightTags).models
        let name = String(text[..<mark])
        let known = ModelName(name).flatMap { tags[$0] }
        (commit, tag) = try given.map { ($0, nil) } ?? Self.commit(text, mark, known, repository)
        if let modelName = ModelName(name), let own = (try? Project.at(commit, in: repository))?.models[modelName] {
            settings = own
            entry = known ?? ModelEntry(name: modelName)
        } else {
            let (modelName, found) = try project.model(name)
            settings = found
            entry = tags[modelName] ?? ModelEntry(name: modelName)
        }
        guard try repository.entry(settings.path, in: commit) != nil else {
            throw ModelFailure.noFile(path: settings.path, commit: commit.short)
        }
    }

    private static func commit(
        _ text: String, _ mark: String.Index, _ entry: ModelEntry?, _ repository: Repository
    ) throws -> (ObjectID, tag: String?) {
        guard mark < text.endIndex else {
            if let latest = entry?.latest { return (latest.commit, latest.tag) }
            return (try repository.resolve("HEAD"), nil)
        }
        let word = String(text[text.index(after: mark)...])
        if text[mark] == "#" {
            guard let assignment = entry?.desired[word] else { throw ModelFailure.noVersion(model: text) }
            return (assignment.commit, assignment.tag)
        }
        guard let version = SemanticVersion(word),
            let found = entry?.versions.last(where: { $0.version == version && !$0.isDeregistered })
        else { throw ModelFailure.noVersion(model: text) }
        return (found.commit, found.tag)
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
