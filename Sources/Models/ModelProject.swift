internal import Base
public import GitKit

/// What this repository says of its models: `ml.yaml` and the tags together.
public struct ModelProject: Sendable {
    public let repository: Repository
    public let project: Project
    public let registry: Registry

    /// Of the repository that this process is in; in a bare one `ml.yaml` is that of HEAD.
    public static func current() throws -> ModelProject { try ModelProject(Repository.current()) }

    public init(_ repository: Repository) throws {
        self.repository = repository
        project = try Project.here(repository)
        registry = try Registry(repository, allowLight: project.allowsLightTags)
    }

    /// All models, by name: those that a tag speaks of, and those that `ml.yaml` and `artifacts.yaml` name.
    public var entries: [ModelEntry] {
        let untagged = project.models.keys.filter { registry.models[$0] == nil }.map { ModelEntry(name: $0) }
        return (registry.models.values + untagged).sorted { $0.name < $1.name }
    }

    /// The model of a name that `ml.yaml`, `artifacts.yaml` or a tag knows, or an error that names the nearest.
    public func entry(_ text: String) throws -> ModelEntry {
        guard let name = ModelName(text) else { throw ModelFailure.notAName(text) }
        if let entry = registry.models[name] { return entry }
        guard project.models[name] != nil else {
            throw ModelFailure.unknown(text, known: entries.map(\.name.description))
        }
        return ModelEntry(name: name)
    }

    /// Where a model's file or folder lies; nil when nothing says so.
    public func path(of model: ModelName) -> String? {
        project.models[model]?.path ?? registry.models[model]?.artifact?.path
    }

    /// A model that `ml.yaml` knows, and its path: what staging and packaging need.
    public func declared(_ text: String) throws -> (entry: ModelEntry, path: String) {
        let entry = try entry(text)
        guard let path = path(of: entry.name) else {
            throw ModelFailure.unknown(text, known: project.models.keys.map(\.description))
        }
        return (entry, path)
    }
}

extension Project {
    /// The `ml.yaml` that holds here: the work tree's, in a bare repository that of HEAD.
    public static func here(_ repository: Repository) throws -> Project {
        if repository.workTree != nil { return try inWorkTree(of: repository) }
        return try repository.head().flatMap { try Project.at($0, in: repository) } ?? Project()
    }
}
