/// What a tag says of a model; GTO's grammar.
public struct ModelTag: Hashable, Sendable, CustomStringConvertible {
    public enum Action: Hashable, Sendable {
        /// `churn@v1.2.0`
        case register(SemanticVersion)
        /// `churn@v1.2.0!`
        case deregister(SemanticVersion)
        /// `churn#prod`
        case assign(stage: String)
        /// `churn#prod!`
        case unassign(stage: String)
        /// `churn@deprecated`
        case deprecate
    }

    public let model: ModelName
    public let action: Action
    /// The number at the end: `churn#prod#4`.
    public let counter: Int?

    public init(_ model: ModelName, _ action: Action, counter: Int? = nil) {
        self.model = model
        self.action = action
        self.counter = counter
    }

    /// Reads a tag's name, without `refs/tags/`; nil when it is no tag of a model.
    public init?(_ name: some StringProtocol) {
        guard let mark = name.firstIndex(where: { $0 == "@" || $0 == "#" }), let model = ModelName(name[..<mark]),
            !name[..<mark].contains(":")
        else { return nil }
        var rest = name[name.index(after: mark)...]
        var counter: Int?
        if let hash = rest.lastIndex(of: "#") {
            let digits = rest[rest.index(after: hash)...]
            guard let number = Int(digits), number > 0, String(number) == digits else { return nil }
            counter = number
            rest = rest[..<hash]
        }
        let isNegated = rest.hasSuffix("!")
        let word = isNegated ? rest.dropLast() : rest
        if name[mark] == "#" {
            guard ModelName.isPart(word) else { return nil }
            action = isNegated ? .unassign(stage: String(word)) : .assign(stage: String(word))
        } else if word == "deprecated", !isNegated {
            action = .deprecate
        } else {
            guard word.hasPrefix("v"), let version = SemanticVersion(word) else { return nil }
            action = isNegated ? .deregister(version) : .register(version)
        }
        self.model = model
        self.counter = counter
    }

    public var description: String {
        let body =
            switch action {
            case .register(let version): "@\(version)"
            case .deregister(let version): "@\(version)!"
            case .assign(let stage): "#\(stage)"
            case .unassign(let stage): "#\(stage)!"
            case .deprecate: "@deprecated"
            }
        return model.inTag + body + (counter.map { "#\($0)" } ?? "")
    }
}
