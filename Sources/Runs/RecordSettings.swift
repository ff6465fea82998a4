public import Base

/// The `record:` section of `ml.yaml`: what a commit records.
public struct RecordSettings: Sendable, Equatable {
    public var params = ["params.yaml", "params.json", "params.toml"]
    public var metrics = ["metrics.json", "metrics.yaml", "dvclive/metrics.json"]
    public var plots = ["plots/**", "dvclive/plots/**"]
    public var untracked = ["*.py", "*.R", "*.sh", "*.yaml", "*.toml", "*.ipynb"]
    /// Whether the host's name is recorded.
    public var host = true
    /// Whether the user's name is recorded.
    public var user = true

    public init() {}

    /// Decodes the section; what is absent keeps its default.
    public init(_ node: YAMLNode) throws {
        let fields = try node.fields(["params", "metrics", "plots", "untracked", "host", "user"])
        params = try fields["params"]?.texts() ?? params
        metrics = try fields["metrics"]?.texts() ?? metrics
        plots = try fields["plots"]?.texts() ?? plots
        untracked = try fields["untracked"]?.texts() ?? untracked
        host = try fields["host"]?.bool() ?? host
        user = try fields["user"]?.bool() ?? user
    }
}
