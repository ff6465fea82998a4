public import Base
public import GitKit

/// A tag of a model that counts: who said what of which commit, and when.
///
/// An object, because it is handed around by the ten thousand.
public final class TagEvent: Sendable {
    public let tag: ModelTag
    /// The tag's name as it stands, without `refs/tags/`.
    public let name: String
    private let summary: TagSummary

    init(_ tag: ModelTag, name: String, _ summary: TagSummary) {
        self.tag = tag
        self.name = name
        self.summary = summary
    }

    /// What the tag's ref points at.
    public var id: ObjectID { summary.id }
    public var commit: ObjectID { summary.target }
    /// The name inside the tag object, which is the same unless somebody copied or renamed the ref; nil for a light tag.
    public var inner: String? { summary.name }
    public var by: String? { summary.by }
    public var email: String? { summary.email }
    public var time: Timestamp { summary.time }

    /// The stage that it assigns or unassigns.
    public var stage: String? {
        switch tag.action {
        case .assign(let stage), .unassign(let stage): stage
        default: nil
        }
    }

    /// GTO's order among events of one second (`priority`).
    public var priority: Int {
        switch tag.action {
        case .deprecate: 2
        case .register: 3
        case .deregister: 4
        case .assign: 5
        case .unassign: 6
        }
    }

    /// GTO's word.
    public var kind: String {
        switch tag.action {
        case .register: "registration"
        case .deregister: "deregistration"
        case .assign: "assignment"
        case .unassign: "unassignment"
        case .deprecate: "deprecation"
        }
    }
}

/// A tag that does not count, and why.
public struct TagProblem: Hashable, Sendable {
    public let tag: String
    public let reason: String
    /// Its name almost keeps to the grammar; it may well be another tool's.
    public let isNearMiss: Bool

    /// The name that stands before the `@` or `#`.
    public var model: String { String(tag.prefix { $0 != "@" && $0 != "#" }) }
}

/// A change in a model's history, in GTO's words.
public struct ModelChange: Sendable {
    public let event: TagEvent
    /// The version registered on the commit; nil when there is none.
    public let version: SemanticVersion?
}
