public import Base
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
        /// `metrics.auc`, `params.lr`, `tags.owner`, or an attribute: `started`, `seconds`, `name`, `user`, `status`, …
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

/// The runs of a repository as a reader sees them: fetched notes united, the journal folded in, the index up to date,
/// and runs that are going on laid over it.
public struct RunStore: Sendable {
    public let repository: Repository
    public let log: RunLog

    /// Opens the store and brings it up to date.
    public init(_ repository: Repository) throws {
        self.repository = repository
        log = RunLog(repository)
        try NotesSync(repository).mergeFetched()
    }

    /// The runs that a query asks for.
    public func runs(_ query: RunQuery) throws -> [Run] { [] }

    /// The one run that a person means: a unique prefix of its id (four digits at least), its name, a commit, branch or
    /// `HEAD`, or `best:metrics.auc` (`best:-metrics.loss` for the lowest).
    ///
    /// Throws a failure of kind `notFound` when there is none, and one that lists them when there are several.
    public func run(named name: String) throws -> Run { throw GitFailure.unknownRevision(name) }

    /// A run by its whole id; nil when it is not there.
    public func run(id: String) throws -> Run? { nil }

    /// Adds event lines to a run that is recorded already, on the note that its code stands on.
    public func append(_ lines: [String], to run: Run) throws {}

    /// The curves of a run, one array of points a key, in the order of steps.
    public func series(of run: Run) async throws -> [String: [MetricPoint]] { [:] }
}

/// A condition on runs: `metrics.auc > 0.8 and params.kind = 'gbm' and tags.owner like 'a%'`.
public struct Filter: Sendable {
    /// Reads a filter; an error points at the column.
    public init(_ text: String) throws {}
}
