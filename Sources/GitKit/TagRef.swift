/// A tag as it stands in a repository.
public struct TagRef: Sendable {
    /// Without `refs/tags/`.
    public let name: String
    /// What the ref points at: a tag object, or for a light tag the tagged object itself.
    public let id: ObjectID
    /// The tag object; nil for a light tag.
    public let object: TagObject?
    /// What is tagged in the end, tags of tags followed.
    public let target: ObjectID
    public let targetKind: ObjectKind
}

extension Repository {
    /// All tags, sorted by name.
    ///
    /// A tag whose object is missing (a shallow clone) is left out.
    public func tags() throws -> [TagRef] {
        try refs(below: "refs/tags/").compactMap { ref in
            try tagRef(String(ref.name.dropFirst("refs/tags/".count)), at: ref.target)
        }
    }
}
