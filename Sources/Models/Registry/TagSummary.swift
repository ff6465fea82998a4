public import Base
public import GitKit

/// What the registry needs to know of what a tag's ref points at: a function of its object's id alone.
public struct TagSummary: Hashable, Sendable {
    /// What the ref points at: a tag object, or for a light tag the tagged object itself.
    public let id: ObjectID
    /// The name inside the tag object; nil for a light tag.
    public let name: String?
    /// What is tagged in the end, tags of tags followed.
    public let target: ObjectID
    public let targetKind: ObjectKind
    /// The tagger; of a light tag the committer of what is tagged.
    public let by: String?
    public let email: String?
    public let time: Timestamp

    public var isLight: Bool { name == nil }
}

extension TagSummary {
    /// What ``Repository/tags()`` has read.
    init(_ ref: TagRef) {
        self.init(
            id: ref.id, name: ref.object?.name, target: ref.target, targetKind: ref.targetKind,
            by: ref.object?.tagger?.name, email: ref.object?.tagger?.email,
            time: ref.object?.tagger?.time ?? Timestamp(seconds: 0))
    }

    /// Reads the object; one that is missing or malformed is a ``GitFailure``.
    init(of id: ObjectID, in repository: Repository) throws {
        let kind = try repository.header(id)?.kind
        switch kind {
        case .tag:
            let object = try repository.tag(id)
            var innermost = object
            for _ in 0..<10 where innermost.targetKind == .tag { innermost = try repository.tag(innermost.target) }
            self.init(
                id: id, name: object.name, target: innermost.target, targetKind: innermost.targetKind,
                by: object.tagger?.name, email: object.tagger?.email,
                time: object.tagger?.time ?? Timestamp(seconds: 0))
        case .commit:
            let commit = try repository.commit(id)
            self.init(
                id: id, name: nil, target: id, targetKind: .commit, by: commit.committer.name,
                email: commit.committer.email, time: commit.committer.time)
        case .tree, .blob:
            self.init(
                id: id, name: nil, target: id, targetKind: kind ?? .blob, by: nil, email: nil,
                time: Timestamp(seconds: 0))
        case nil: throw GitFailure.missingObject(id.hex)
        }
    }
}
