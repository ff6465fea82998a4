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
    /// The server's program and its arguments, for a template that starts any: `templates/serving/command`.
    public var command: [String] = []
    public var files: [String] = []
    public var requirements: String?
    /// What the image is for: `linux/arm64`.
    public var platform: String?
    /// The version of Python in the base: `3.12`.
    public var python: String?
    /// Where people find the source: an address.
    public var source: String?
    /// With what its provenance is signed; nil: it is not.
    public var sign: SigningSettings?

    init() {}

    init(_ node: YAMLNode) throws {
        let fields = try node.fields([
            "base", "template", "command", "files", "requirements", "platform", "python", "source", "sign",
        ])
        base = try fields["base"]?.text() ?? base
        template = try fields["template"]?.relativePath() ?? template
        command = try fields["command"]?.texts() ?? []
        files = try fields["files"]?.list().map { try $0.relativePath() } ?? files
        requirements = try fields["requirements"]?.relativePath()
        platform = try fields["platform"]?.text()
        python = try fields["python"]?.text()
        source = try fields["source"]?.text()
        sign = try fields["sign"].map { try SigningSettings($0) }
    }
}

/// `sign:` of a package: `ssh` or `gpg` with the key that git signs with, or with the key that is named.
///
/// ```yaml
/// sign: {with: ssh, key: ~/.ssh/runner.pub}
/// ```
public struct SigningSettings: Sendable, Equatable {
    public enum Program: String, Sendable, CaseIterable { case ssh, gpg, cosign }

    public let program: Program
    /// As the program names keys; nil: git's `user.signingKey`, which cosign has no use for.
    public let key: String?

    init(_ node: YAMLNode) throws {
        guard case .map = node.value else {
            program = try node.choice(Program.self)
            key = nil
            try check(node)
            return
        }
        let fields = try node.fields(["with", "key"])
        guard let with = fields["with"] else { throw node.failure("“\(node.path)” needs with: ssh, gpg or cosign") }
        program = try with.choice(Program.self)
        key = try fields["key"]?.text()
        try check(node)
    }

    private func check(_ node: YAMLNode) throws {
        guard program == .cosign, key == nil else { return }
        throw node.failure("cosign needs a key: `sign: {with: cosign, key: cosign.key}`")
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
