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
            let name = String(ref.name.dropFirst("refs/tags/".count))
            guard let kind = try header(ref.target)?.kind else { return nil }
            guard kind == .tag else {
                return TagRef(name: name, id: ref.target, object: nil, target: ref.target, targetKind: kind)
            }
            let object = try tag(ref.target)
            var innermost = object
            for _ in 0..<10 where innermost.targetKind == .tag { innermost = try tag(innermost.target) }
            return TagRef(
                name: name, id: ref.target, object: object, target: innermost.target, targetKind: innermost.targetKind)
        }
    }
}
