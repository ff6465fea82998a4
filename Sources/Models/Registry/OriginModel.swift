public import Base
internal import GitKit
public import Pointers

/// A model in another repository: its commit, and where in it the model lies.
public struct OriginModel: Sendable {
    public let resolved: ResolvedModel
    /// The other repository at the model's commit.
    public let other: OtherRepository
    /// The model's file or folder.
    public let path: String

    /// Finds what an address means there; nil when no tag there speaks of that model.
    ///
    /// Only the model's tags are fetched, then the list of files of its commit.
    public static func find(_ address: ModelAddress, at origin: OriginAddress) async throws -> OriginModel? {
        let main = try await OtherRepository.open(origin)
        try await main.fetchTags(["@", "#"].map { address.model.inTag + $0 })
        let settings = try main.settings()
        let allowLight = settings.flatMap { try? $0.bool("tags", "light") } ?? false
        let registry = try Registry(main.repository, allowLight: allowLight)
        guard let entry = registry.models[address.model], !entry.history.isEmpty else { return nil }
        let resolved = try address.resolve(in: registry)
        // By a ref, since not every server gives commits by their ids.
        let tag = resolved.assignment?.tag ?? resolved.version?.tag
        let other = try await OtherRepository.open(
            origin, revision: tag.map { "refs/tags/\($0)" } ?? resolved.commit.hex)
        guard other.commit == resolved.commit else { throw OriginModelFailure.moved(address, origin.shown) }
        let path = try other.path(of: address.model) ?? main.path(of: address.model)
        guard let path else { throw OriginModelFailure.noPath(address.model, origin.shown) }
        return OriginModel(resolved: resolved, other: other, path: path)
    }

    /// The same in a repository on this machine, whose tags have been read; `path` is where the model lies unless its commit
    /// says otherwise.
    public static func find(_ resolved: ResolvedModel, at origin: OriginAddress, path: String?) async throws
        -> OriginModel
    {
        let other = try await OtherRepository.open(origin, revision: resolved.commit.hex)
        guard let path = try other.path(of: resolved.name) ?? path else {
            throw OriginModelFailure.noPath(resolved.name, origin.shown)
        }
        return OriginModel(resolved: resolved, other: other, path: path)
    }
}

extension OtherRepository {
    /// Its `ml.yaml`, of which only some entries are looked at: it may be of a later version.
    fileprivate func settings() throws -> YAMLNode? {
        guard let bytes = try repository.file(Project.fileName, in: commit) else { return nil }
        return try? YAMLNode.parse(String(decoding: bytes, as: UTF8.self), file: Project.fileName)
    }

    /// Where its `ml.yaml`, else its `artifacts.yaml`, says that a model lies; nil when nothing is there.
    fileprivate func path(of model: ModelName) throws -> String? {
        let own = try settings()?["models"]?[model.description]?["path"]?.text()
        let path = own ?? (try? Artifact.all(at: commit, in: repository))?.last { $0.name == model }?.artifact.path
        guard let path, try repository.entry(path, in: commit) != nil else { return nil }
        return path
    }
}

extension YAMLNode {
    /// The value of a key, where this is a map that has it.
    fileprivate subscript(_ key: String) -> YAMLNode? {
        guard case .map(let entries) = value else { return nil }
        return entries.last { $0.key == key }?.value
    }

    fileprivate func bool(_ keys: String...) throws -> Bool? {
        var node: YAMLNode? = self
        for key in keys { node = node?[key] }
        return try node?.bool()
    }
}

/// Why a model of another repository cannot be brought here.
public enum OriginModelFailure: Failure {
    case moved(ModelAddress, String)
    case noPath(ModelName, String)

    public var kind: FailureKind {
        switch self {
        case .moved: .remote
        case .noPath: .notFound
        }
    }

    public var description: String {
        switch self {
        case .moved(let address, let place): "the tags of \(address) at \(place) moved while they were read"
        case .noPath(let model, let place): "nothing at \(place) says where the model \(model) lies"
        }
    }

    public var hints: [String] {
        switch self {
        case .moved: ["run the command again"]
        case .noPath: ["name its file: git ml get URL PATH --rev TAG"]
        }
    }
}
