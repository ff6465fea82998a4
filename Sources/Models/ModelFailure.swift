public import Base

/// A model that `ml.yaml` does not know, or that is not where it says.
public enum ModelFailure: Failure {
    case unknown(String, known: [String])
    case noFile(path: String, commit: String)
    case unknownStage(String, known: [String])
    case notAName(String)

    public var kind: FailureKind {
        switch self {
        case .unknown, .unknownStage, .noFile: .notFound
        case .notAName: .user
        }
    }

    public var description: String {
        switch self {
        case .unknown(let name, _): "ml.yaml names no model “\(name)”"
        case .noFile(let path, let commit): "the model file \(path) is not in the commit \(commit)"
        case .unknownStage(let name, _): "ml.yaml names no stage “\(name)”"
        case .notAName(let name): "“\(name)” is no name for a model"
        }
    }

    public var hints: [String] {
        switch self {
        case .unknown(let name, let known):
            [Spelling.nearest(to: name, in: known).map { "did you mean \($0)?" } ?? "add it under models: in ml.yaml"]
        case .noFile(let path, _): ["commit it first: git add \(shellQuoted(path)) && git commit"]
        case .unknownStage(let name, let known):
            [Spelling.nearest(to: name, in: known).map { "did you mean \($0)?" } ?? "add it under stages: in ml.yaml"]
        case .notAName(let text):
            if let address = try? ModelAddress(text) {
                ["all of the model is meant here: write \(address.model)"]
            } else {
                ["names hold letters, digits, -, / and _"]
            }
        }
    }
}
