internal import Base
public import GitKit

/// The models of a repository, read from its tags.
public struct Registry: Sendable {
    public private(set) var models: [ModelName: ModelEntry] = [:]
    /// Tags that look like ours and do not count, with the reason, by name.
    public private(set) var problems: [TagProblem] = []
    /// Why `artifacts.yaml` could not be read.
    public private(set) var artifactsProblem: String?
    /// The highest counter of each model, tags included that do not count.
    private var counters: [ModelName: Int] = [:]
    /// The tags that count, by time, those of one second by name.
    private var events: [ModelName: [TagEvent]] = [:]
    private var head: ObjectID?
    private var annotated: Set<ModelName> = []
    /// Where dates of commits come from; nil: they count for nothing.
    private let repository: Repository?

    /// The number that a model's next counted tag bears.
    public func nextCounter(of model: ModelName) -> Int { (counters[model] ?? 0) + 1 }

    /// Reads a repository's tags and the `artifacts.yaml` of its HEAD.
    ///
    /// `allowLight` says whether light tags count, which GTO ignores. Tag objects that were read before come out of a cache
    /// below `.git/ml/cache`.
    public init(_ repository: Repository, allowLight: Bool = false) throws {
        self.repository = repository
        var reader = TagReader(repository)
        try reader.read()
        head = try repository.head()
        var artifacts: [(name: ModelName, artifact: Artifact)] = []
        do {
            artifacts = try head.map { try Artifact.all(at: $0, in: repository) } ?? []
        } catch {
            artifactsProblem = "\(error)"
        }
        problems = reader.problems
        annotated = Set(artifacts.map(\.name))
        take(reader.found, allowLight: allowLight)
        for (name, artifact) in artifacts { models[name, default: ModelEntry(name: name)].artifact = artifact }
    }

    /// The same from tags that have been read already, without `artifacts.yaml` and the dates of commits.
    public init(_ tags: [TagRef], allowLight: Bool = false) {
        repository = nil
        var found: [TagReader.Found] = []
        for ref in tags {
            switch ModelTag.read(Array(ref.name.utf8)) {
            case .tag(let tag): found.append(TagReader.Found(name: ref.name, tag: tag, summary: TagSummary(ref)))
            case .nearMiss(let reason):
                problems.append(TagProblem(tag: ref.name, reason: reason, isNearMiss: true))
            case .other: break
            }
        }
        take(found, allowLight: allowLight)
    }

    private mutating func take(_ found: [TagReader.Found], allowLight: Bool) {
        // Tags come sorted by name, which is GTO's order among those of one second.
        var events: [ModelName: [TagEvent]] = [:]
        // Those of one model mostly stand together.
        for group in found.grouped(by: \.tag.model) {
            guard let model = group.first?.tag.model else { continue }
            counters[model] = group.reduce(counters[model] ?? 0) { max($0, $1.tag.counter ?? 0) }
            var own: [TagEvent] = []
            for found in group {
                if let reason = found.reason(allowLight: allowLight) {
                    problems.append(TagProblem(tag: found.name, reason: reason, isNearMiss: false))
                } else {
                    own.append(found.event)
                }
            }
            if !own.isEmpty { events[model, default: []] += own }
        }
        problems.sort { $0.tag.utf8.lexicographicallyPrecedes($1.tag.utf8) }
        for (name, unordered) in events {
            let order = unordered.indices.sorted { (unordered[$0].time, $0) < (unordered[$1].time, $1) }
            let ordered = order.map { unordered[$0] }
            self.events[name] = ordered
            var entry = fold(name, ordered).entry
            entry.nextCounter = nextCounter(of: name)
            models[name] = entry
        }
    }

    /// A model's tags that count, by time, those of one second by name.
    func events(of model: ModelName) -> [TagEvent] { events[model] ?? [] }

    /// What some of a model's tags come to.
    func fold(_ name: ModelName, _ events: [TagEvent]) -> ModelFold {
        // For GTO the HEAD that names a model in artifacts.yaml is one more sign of it.
        let sign = annotated.contains(name) ? head : nil
        return ModelFold(name, events, annotation: sign) { [repository] in
            try? repository?.commit($0).committer.time
        }
    }
}

extension Array {
    /// Neighbours with the same key, as slices.
    fileprivate func grouped<Key: Equatable>(by key: (Element) -> Key) -> [ArraySlice<Element>] {
        var groups: [ArraySlice<Element>] = []
        var start = 0
        for i in indices.dropFirst() where key(self[i]) != key(self[start]) {
            groups.append(self[start..<i])
            start = i
        }
        if start < count { groups.append(self[start...]) }
        return groups
    }
}
