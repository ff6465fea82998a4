public import Base

/// The `record:` section of `ml.yaml`: what a commit records.
public struct RecordSettings: Sendable, Equatable {
    public var params = ["params.yaml", "params.json", "params.toml"]
    public var metrics = ["metrics.json", "metrics.yaml", "dvclive/metrics.json"]
    /// Metrics files that are one model's own, by its name: their keys are recorded as `<model>/<key>`.
    public var modelMetrics: [String: [String]] = [:]
    public var plots = ["plots/**", "dvclive/plots/**"]
    public var untracked = ["*.py", "*.R", "*.sh", "*.yaml", "*.toml", "*.ipynb"]
    /// Whether the host's name is recorded.
    public var host = true
    /// Whether the user's name is recorded.
    public var user = true

    public init() {}

    /// All files that hold metrics, and what goes before the keys of each.
    var metricFiles: [(path: String, prefix: String)] {
        metrics.map { ($0, "") }
            + modelMetrics.sorted { $0.key < $1.key }.flatMap { name, paths in paths.map { ($0, name + "/") } }
    }

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
