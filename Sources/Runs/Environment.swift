public import Base

/// Values of a run's environment as people read them.
public enum Environment {
    public static func text(_ value: JSON) -> String {
        if let text = value.string { return Digest(text)?.short ?? text }
        if let items = value.array { return items.map(text).joined(separator: ", ") }
        return value == .null ? "" : value.description
    }
}

extension Run {
    /// What it printed.
    public var log: RunItem? { outputs.last { $0.role == .log } }
}
