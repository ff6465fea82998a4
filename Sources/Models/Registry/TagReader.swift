internal import Base
internal import GitKit

/// Reads the tags of a repository that keep to the grammar, and says of those that almost do what is wrong.
struct TagReader {
    /// A tag of the grammar, whether it counts or not.
    struct Found {
        let name: String
        let tag: ModelTag
        let summary: TagSummary
    }

    private(set) var found: [Found] = []
    private(set) var problems: [TagProblem] = []
    private let repository: Repository

    init(_ repository: Repository) { self.repository = repository }

    /// Takes the tags in the order of their names.
    mutating func read() throws {
        let refs = try repository.refs(below: Self.prefix)
        var cache = TagCache(repository)
        var read = 0
        for ref in refs {
            let name = Array(ref.name.utf8.dropFirst(Self.prefix.utf8.count))
            switch ModelTag.read(name, after: found.last?.tag.model) {
            case .other: continue
            case .nearMiss(let reason): add(name, reason, isNearMiss: true)
            case .tag(let tag):
                do {
                    var summary = cache.summary(of: ref.target)
                    if summary == nil {
                        summary = try TagSummary(of: ref.target, in: repository)
                        read += 1
                    }
                    guard let summary else { continue }
                    found.append(Found(name: String(decoding: name, as: UTF8.self), tag: tag, summary: summary))
                } catch GitFailure.missingObject(let id) {
                    add(name, "its object \(id.prefix(10)) is not in this clone", isNearMiss: false)
                } catch GitFailure.malformed(_, let reason) {
                    add(name, "its object is malformed: \(reason)", isNearMiss: false)
                }
            }
        }
        cache.save(found.map(\.summary), read: read)
    }

    private static let prefix = "refs/tags/"

    private mutating func add(_ name: [UInt8], _ reason: String, isNearMiss: Bool) {
        problems.append(TagProblem(tag: String(decoding: name, as: UTF8.self), reason: reason, isNearMiss: isNearMiss))
    }
}

extension TagReader.Found {
    /// Why it does not count; nil when it does.
    func reason(allowLight: Bool) -> String? {
        if summary.targetKind != .commit { return "it is on a \(summary.targetKind), not on a commit" }
        if summary.isLight, !allowLight {
            return "it is a light tag; mend it with "
                + "`git tag -a -f -m \(shellQuoted(name)) \(shellQuoted(name)) \(shellQuoted("refs/tags/\(name)^{}"))`"
        }
        return nil
    }

    var event: TagEvent { TagEvent(tag, name: name, summary) }
}
