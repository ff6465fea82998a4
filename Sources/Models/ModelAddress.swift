public import Base
public import GitKit

/// A model as people and MLflow name it, and which of its commits is meant.
///
/// | written | means |
/// |---|---|
/// | `churn`, `churn@latest`, `models:/churn/latest` | the highest version that is not deregistered |
/// | `churn@v1.2.0` | that version |
/// | `churn#prod`, `models:/churn@prod`, `models:/churn/prod` | what is to be in that stage: ``ModelEntry/desired`` |
/// | `models:/churn/3` | MLflow's version number: v3.0.0 (``SemanticVersion/mlflowNumber``) |
public struct ModelAddress: Hashable, Sendable, CustomStringConvertible {
    public enum Selector: Hashable, Sendable {
        case latest
        case version(SemanticVersion)
        case stage(String)
    }

    public let model: ModelName
    public let selector: Selector
    /// Whether only the model's name was written.
    public let isBare: Bool
    /// The address as it was written.
    public let description: String

    /// Reads an address; what is none of these forms is an error that says which there are.
    public init(_ text: String) throws(ModelAddressFailure) {
        description = text
        let parts = text.hasPrefix(Self.scheme) ? Self.mlflow(text.dropFirst(Self.scheme.count)) : Self.own(text)
        guard let parts, let model = ModelName(parts.name) else { throw .notAnAddress(text) }
        self.model = model
        isBare = parts.selector == nil
        selector = parts.selector ?? .latest
    }

    private static let scheme = "models:/"

    private static func own(_ text: String) -> (name: Substring, selector: Selector?)? {
        guard let mark = text.firstIndex(where: { $0 == "@" || $0 == "#" }) else { return (text[...], nil) }
        let word = text[text.index(after: mark)...]
        if text[mark] == "#" { return ModelName.isPart(word) ? (text[..<mark], .stage(String(word))) : nil }
        if word == "latest" { return (text[..<mark], .latest) }
        return SemanticVersion(word).map { (text[..<mark], .version($0)) }
    }

    /// What stands behind `models:/`.
    private static func mlflow(_ text: Substring) -> (name: Substring, selector: Selector?)? {
        guard let mark = text.lastIndex(of: "@") ?? text.lastIndex(of: "/") else { return (text, nil) }
        let word = text[text.index(after: mark)...]
        let selector: Selector? =
            if word == "latest" {
                .latest
            } else if text[mark] == "/", word.utf8.allSatisfy({ (48...57).contains($0) }) {
                Int64(word).flatMap { SemanticVersion(mlflowNumber: $0) }.map { .version($0) }
            } else {
                ModelName.isPart(word) ? .stage(String(word)) : nil
            }
        return selector.map { (text[..<mark], $0) }
    }
}

/// The commit that a ``ModelAddress`` means, and what the tags say of it.
public struct ResolvedModel: Sendable {
    public let entry: ModelEntry
    public let commit: ObjectID
    /// The version registered there; nil when there is none.
    public let version: Version?
    /// The assignment, when a stage was asked for.
    public let assignment: Assignment?

    public var name: ModelName { entry.name }
    public var stage: String? { assignment?.stage }

    /// `v1.2.0`, else the commit's first digits.
    public var label: String { version.map { "\($0.version)" } ?? commit.short }
}

extension ModelAddress {
    /// Finds the commit; an error says what there is and which name is nearest.
    ///
    /// `declared` are models that `ml.yaml` names and that need not have a tag.
    public func resolve(
        in registry: Registry, declared: some Sequence<ModelName> = EmptyCollection()
    ) throws(ModelAddressFailure) -> ResolvedModel {
        guard let entry = registry.models[model] else {
            let declared = Array(declared)
            if declared.contains(model) { throw .noVersions(model) }
            let known = Set(registry.models.keys).union(declared).sorted()
            throw .unknownModel(model, known: known.map(\.description))
        }
        switch selector {
        case .latest:
            guard let latest = entry.latest else { throw .noVersions(model) }
            return ResolvedModel(entry: entry, commit: latest.commit, version: latest, assignment: nil)
        case .version(let number):
            let found = entry.versions.filter { $0.version == number }
            guard let version = found.last(where: { !$0.isDeregistered }) else {
                if !found.isEmpty { throw .deregistered(model, number) }
                let known = entry.versions.filter { !$0.isDeregistered }.map(\.version).sorted()
                if known.isEmpty { throw .noVersions(model) }
                throw .noVersion(model, number, known: known.reversed().map(\.description))
            }
            return ResolvedModel(entry: entry, commit: version.commit, version: version, assignment: nil)
        case .stage(let stage):
            guard let assignment = entry.desired[stage] else {
                throw .emptyStage(model, stage, known: entry.desired.keys.sorted())
            }
            return ResolvedModel(
                entry: entry, commit: assignment.commit, version: entry.version(at: assignment.commit),
                assignment: assignment)
        }
    }
}

/// Why an address names no commit.
public enum ModelAddressFailure: Failure, Equatable {
    case notAnAddress(String)
    case unknownModel(ModelName, known: [String])
    case noVersions(ModelName)
    case noVersion(ModelName, SemanticVersion, known: [String])
    case deregistered(ModelName, SemanticVersion)
    case emptyStage(ModelName, String, known: [String])

    public var kind: FailureKind {
        if case .notAnAddress = self { .user } else { .notFound }
    }

    public var description: String {
        switch self {
        case .notAnAddress(let text): "“\(text)” names no model"
        case .unknownModel(let name, _): "there is no model “\(name)”"
        case .noVersions(let name): "\(name) has no registered version"
        case .noVersion(let name, let version, _): "\(name) has no version \(version)"
        case .deregistered(let name, let version): "\(name) \(version) was deregistered"
        case .emptyStage(let name, let stage, _): "nothing of \(name) is in the stage “\(stage)”"
        }
    }

    public var hints: [String] {
        switch self {
        case .notAnAddress:
            ["write NAME, NAME@v1.2.0, NAME@latest, NAME#STAGE, models:/NAME/3 or models:/NAME@STAGE"]
        case .unknownModel(let name, let known):
            [Self.choice("\(name)", known, what: "models") ?? "`git ml register \(name)` makes its first version"]
        case .noVersions(let name): ["`git ml register \(name)` makes one"]
        case .noVersion(_, _, let known): [Self.list(known, what: "versions")]
        case .deregistered(let name, _): ["`git ml history \(name)` says when and by whom"]
        case .emptyStage(let name, let stage, let known):
            [Self.choice(stage, known, what: "stages"), "`git ml stage \(name) \(stage)` puts a version there"]
                .compactMap(\.self)
        }
    }

    /// The nearest name, or what there is to choose from; nil when there is nothing.
    private static func choice(_ word: String, _ known: [String], what: String) -> String? {
        if known.isEmpty { return nil }
        if let nearest = Spelling.nearest(to: word, in: known) { return "did you mean \(nearest)?" }
        return list(known, what: what)
    }

    private static func list(_ known: [String], what: String) -> String {
        "there are the \(what) " + known.prefix(10).joined(separator: ", ") + (known.count > 10 ? ", …" : "")
    }
}
