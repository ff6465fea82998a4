internal import Base
public import GitKit
public import Pointers
public import Runs
internal import SystemPackage

/// `ml.yaml`: what a repository's models are, where they go, and what must hold first.
public struct Project: Sendable {
    public static let fileName = "ml.yaml"

    public var repositoryID: String?
    public var data = DataSettings()
    public var record = RecordSettings()
    public var models: [ModelName: ModelSettings] = [:]
    /// Where images go when nobody says otherwise; nil: the layout below `.git/ml`.
    public var registry: String?
    public var stages: [String: StageSettings] = [:]
    public var allowsLightTags = false

    public init() {}

    /// Decodes a whole file; an unknown key or a wrong type is an error that names the line.
    public init(_ text: String, file: String = fileName) throws {
        let node = try YAMLNode.parse(text, file: file)
        let fields = try node.fields(["version", "repo", "data", "record", "models", "registry", "stages", "tags"])
        if let version = fields["version"], try version.int() != 1 {
            throw version.failure("this file has version \(try version.text())", hints: ["update git-ml"])
        }
        repositoryID = try fields["repo"]?.text()
        data = try fields["data"].map { try DataSettings($0) } ?? data
        record = try fields["record"].map { try RecordSettings($0) } ?? record
        registry = try fields["registry"]?.text()
        allowsLightTags = try fields["tags"]?.fields(["light"])["light"]?.bool() ?? false
        var stageNodes: [String: YAMLNode] = [:]
        for entry in try fields["stages"]?.entries() ?? [] {
            guard ModelName.isPart(entry.key) else {
                throw entry.value.failure("“\(entry.key)” is no name for a stage")
            }
            stageNodes[entry.key] = entry.value
            stages[entry.key] = try StageSettings(entry.value)
        }
        for entry in try fields["models"]?.entries() ?? [] {
            guard let name = ModelName(entry.key) else {
                throw entry.value.failure("“\(entry.key)” is no name for a model")
            }
            // A file system, and a registry of images, may take the two for one.
            if let other = models.keys.first(where: { "\($0)".lowercased() == "\(name)".lowercased() }) {
                throw entry.value.failure("“\(name)” and the model “\(other)” differ only in case")
            }
            let settings = try ModelSettings(entry.value, common: stages)
            models[name] = settings
            if !settings.recordMetrics.isEmpty { record.modelMetrics[name.description] = settings.recordMetrics }
        }
    }

    /// The `ml.yaml` of the work tree; the defaults when there is none.
    public static func inWorkTree(of repository: Repository) throws -> Project {
        guard let workTree = repository.workTree, let text = try Files.readText(workTree.appending(fileName)) else {
            return Project()
        }
        return try Project(text)
    }

    /// The `ml.yaml` of a commit; nil when it has none.
    public static func at(_ commit: ObjectID, in repository: Repository) throws -> Project? {
        try repository.file(fileName, in: commit).map {
            try Project(String(decoding: $0, as: UTF8.self), file: "\(commit.short):\(fileName)")
        }
    }

    /// Where models lie in the work tree.
    public var modelPaths: [String] { models.values.map(\.path).sorted() }

    /// A stage as one model has it.
    public func stage(_ stage: String, of model: ModelName) -> StageSettings? {
        models[model]?.stages[stage] ?? stages[stage]
    }
}

/// One entry of `models:`.
public struct ModelSettings: Sendable {
    /// A tracked file or folder, from the top of the work tree.
    public let path: String
    public var description: String?
    /// Metrics files of this model's own.
    public var recordMetrics: [String] = []
    public var stages: [String: StageSettings] = [:]
    public var package = PackageSettings()

    init(_ node: YAMLNode, common: [String: StageSettings]) throws {
        let fields = try node.fields(["path", "description", "record", "stages", "package"])
        guard let path = fields["path"] else { throw node.failure("“\(node.path)” needs a path") }
        self.path = try path.relativePath()
        description = try fields["description"]?.text()
        recordMetrics = try fields["record"]?.fields(["metrics"])["metrics"]?.texts() ?? []
        stages = common
        for entry in try fields["stages"]?.entries() ?? [] {
            stages[entry.key] = try StageSettings(entry.value, over: common[entry.key] ?? StageSettings())
        }
        package = try fields["package"].map { try PackageSettings($0) } ?? package
    }
}

/// `package:` of a model: what goes into its image beside the model.
public struct PackageSettings: Sendable, Equatable {
    public var base = "scratch"
    public var template = "python"
    public var files: [String] = []
    public var requirements: String?

    init() {}

    init(_ node: YAMLNode) throws {
        let fields = try node.fields(["base", "template", "files", "requirements"])
        base = try fields["base"]?.text() ?? base
        template = try fields["template"]?.relativePath() ?? template
        files = try fields["files"]?.list().map { try $0.relativePath() } ?? files
        requirements = try fields["requirements"]?.relativePath()
    }
}

extension YAMLNode {
    /// A path that stays inside the work tree.
    func relativePath() throws -> String {
        var path = try text()
        while path.hasSuffix("/") { path.removeLast() }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !path.hasPrefix("/"), !parts.isEmpty,
            !parts.contains(where: { ["", ".", "..", ".git"].contains($0.lowercased()) })
        else { throw failure("“\(path)” must be a path inside the repository, without . and ..") }
        return path
    }
}
