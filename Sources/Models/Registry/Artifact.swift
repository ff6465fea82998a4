internal import Base
internal import GitKit

/// One entry of GTO's `artifacts.yaml`.
public struct Artifact: Hashable, Sendable {
    public var type: String?
    public var path: String?
    public var labels: [String] = []
    public var description: String?
}

extension Artifact {
    static let file = "artifacts.yaml"

    /// The entries of the file at a commit, in its order; none when it has no such file.
    static func all(at commit: ObjectID, in repository: Repository) throws -> [(name: ModelName, artifact: Artifact)] {
        guard let bytes = try repository.file(file, in: commit) else { return [] }
        return try read(String(decoding: bytes, as: UTF8.self))
    }

    /// Reads the file; what GTO would refuse is an error that names the line.
    static func read(_ text: String) throws -> [(name: ModelName, artifact: Artifact)] {
        try YAMLNode.parse(text, file: file).entries().map { entry in
            guard let name = ModelName(entry.key), !entry.key.contains("=") else {
                throw entry.value.failure("“\(entry.key)” is no name of an artifact")
            }
            var artifact = Artifact()
            for field in try entry.value.entries() {
                switch field.key {
                case "type": artifact.type = try field.value.optionalText()
                case "path": artifact.path = try field.value.optionalText()
                case "description": artifact.description = try field.value.optionalText()
                case "labels": artifact.labels = try field.value.texts()
                default: break  // virtual, custom, and what later versions add
                }
            }
            return (name, artifact)
        }
    }
}

extension YAMLNode {
    fileprivate func optionalText() throws -> String? {
        if case .scalar(_, .null) = value { return nil }
        return try text()
    }
}
