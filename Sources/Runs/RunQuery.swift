public import GitKit

/// Which runs a reader wants, and in what order.
public struct RunQuery: Sendable {
    /// Where to look.
    public enum Scope: Sendable {
        /// Everything recorded, whatever branch it belongs to.
        case all
        /// Runs whose code, or a commit linked to them, can be reached from a commit.
        case history(ObjectID)
    }

    /// One key to sort by.
    public struct SortKey: Sendable, Equatable {
        /// As in a filter: `metrics.auc`, `params.lr`, `tags.owner`, or an attribute such as `started` or `name`.
        public var key: String
        public var isDescending: Bool

        public init(_ key: String, isDescending: Bool = false) {
            self.key = key
            self.isDescending = isDescending
        }
    }

    public var scope = Scope.all
    public var filter: Filter?
    /// Empty: latest start first.
    public var sort: [SortKey] = []
    public var limit: Int?
    public var offset = 0
    /// Whether deleted runs are shown (and only they).
    public var deleted = false

    public init() {}
}
