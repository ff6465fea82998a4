internal import Base
public import GitKit
public import Runs

/// What would change in a stage if a candidate were put into it.
public struct Review: Sendable {
    /// A commit with what is known of the model on it.
    public struct Side: Sendable {
        public let commit: Commit
        /// The version registered there.
        public var version: SemanticVersion?
        /// The run behind the model, as the model sees it.
        public var run: Run?
        /// Why there is no such run.
        public var problem: String?
        /// The model's bytes; nil when its file is not there.
        public var size: Int64?

        /// `v1.2.0`, else the commit's first digits.
        public var label: String { version.map { "\($0)" } ?? commit.id.short }
    }

    public struct Metric: Sendable, Equatable {
        public enum Verdict: String, Sendable { case better, worse, same }

        public let key: String
        public let old: Double?
        public let new: Double?
        /// Nil: nobody knows.
        public let direction: MetricDirection?

        /// Nil where one of them is missing or NaN, or nobody knows which way is better.
        public var verdict: Verdict? {
            guard let old, let new, !old.isNaN, !new.isNaN else { return nil }
            if old == new { return .same }
            return direction.map { (new > old) == ($0 == .higher) ? .better : .worse }
        }
    }

    /// A parameter, or something of the environment, that differs.
    public struct Value: Sendable, Equatable {
        public let key: String
        public let old: String?
        public let new: String?
    }

    /// A file of the code that differs.
    public struct CodeChange: Sendable, Equatable {
        public let path: String
        /// Lines; nil for a binary file.
        public let added: Int64?
        public let deleted: Int64?
    }

    public let model: ModelName
    public let stage: String
    public let candidate: Side
    /// What is in the stage now; nil when nothing is.
    public let current: Side?
    /// The tag that put it there.
    public let assignment: Assignment?
    /// Sorted by name.
    public internal(set) var metrics: [Metric] = []
    /// Only what differs.
    public internal(set) var params: [Value] = []
    public internal(set) var environment: [Value] = []
    public internal(set) var code: [CodeChange] = []
    public internal(set) var data: [DataChange] = []
    public internal(set) var gates: [GateResult] = []
    public internal(set) var reproducibility: Reproducibility
    /// Of the candidate for this stage, oldest first.
    public internal(set) var approvals: [Approval] = []
    /// Why each approval does not count, in their order; nil: it does.
    ///
    /// Who makes the tag is not known yet: theirs will not.
    public internal(set) var objections: [String?] = []
    /// How many the stage asks for.
    public internal(set) var approvalsAsked: Int64 = 0

    /// How many of the approvals count.
    public var approvalCount: Int { objections.filter { $0 == nil }.count }

    /// Whether all gates that were tried passed.
    public var passes: Bool { gates.allSatisfy(\.isPassed) }
}
