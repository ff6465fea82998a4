/// A condition on runs: `metrics.auc > 0.8 and params.kind = 'gbm' and tags.owner like 'a%'`.
public struct Filter: Sendable {
    /// Reads a filter; an error points at the column.
    public init(_ text: String) throws {}
}
