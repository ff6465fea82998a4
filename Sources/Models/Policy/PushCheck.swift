public import Base
public import GitKit
public import Runs

/// One ref that a push moves; nil stands for “not there”.
public struct RefUpdate: Sendable, Equatable {
    public let ref: String
    public let old: ObjectID?
    public let new: ObjectID?

    public init(_ ref: String, from old: ObjectID?, to new: ObjectID?) {
        self.ref = ref
        self.old = old
        self.new = new
    }

    /// The name of a tag; nil for other refs.
    public var tag: String? { ref.hasPrefix("refs/tags/") ? String(ref.dropFirst("refs/tags/".count)) : nil }

    /// Whether it may be a tag of a model, going by its name alone.
    public var isLikeModelTag: Bool { tag?.contains { $0 == "@" || $0 == "#" } ?? false }
}

/// What a push of tags may not do: the rules of models' tags, and policy.
public struct PushCheck: Sendable {
    public struct Result: Sendable {
        /// The refs that must not be pushed so, and why.
        public internal(set) var refused: [(ref: String, failure: any Failure)] = []
        /// Tags that only look like a model's: nobody reads them.
        public internal(set) var almost: [(ref: String, failure: OutOfGrammar)] = []
        public internal(set) var notices: [String] = []
        /// The tags that assign a stage and have nothing against them.
        public internal(set) var accepted: [TagRef] = []
    }

    private let repository: Repository
    private let policy: Policy?
    private let isServer: Bool
    private let runs: @Sendable () throws -> RunStore

    /// `policy` is that of the protected branch as the push leaves it; nil when there is none, or when it is not known.
    ///
    /// On a server the tags that there are are all that count; in a clone some may wait to be pushed, and nothing is said of
    /// the order of counters.
    public init(
        _ repository: Repository, policy: Policy?, isServer: Bool, runs: @escaping @Sendable () throws -> RunStore
    ) {
        self.isServer = isServer
        self.repository = repository
        self.policy = policy
        self.runs = runs
    }

    /// Looks at the updates of tags; others are passed over.
    public func check(_ updates: [RefUpdate]) async throws -> Result {
        var result = Result()
        let updates = updates.filter(\.isLikeModelTag)
        if updates.isEmpty { return result }
        let present = try present(but: updates)
        let others = present.compactMap { other in ModelTag(other.name).map { (tag: $0, name: other.name) } }
        var new: [TagRef] = []
        for update in updates {
            guard let name = update.tag, let tag = ModelTag(name) else {
                judgeName(update, &result)
                continue
            }
            if update.old != nil, update.old != update.new {
                result.refused.append((update.ref, update.new == nil ? PolicyRefusal.deleted : .moved))
            } else if let id = update.new, update.old == nil, let ref = try repository.tagRef(name, at: id) {
                let form = PolicyCheck.form(of: ref, allowsLight: policy?.project.allowsLightTags ?? false)
                if form.isEmpty { new.append(ref) }
                for refusal in form + rules(tag, others) { result.refused.append((update.ref, refusal)) }
            }
        }
        guard let policy else { return result }
        let check = PolicyCheck(policy, tags: present + new, runs: runs)
        for ref in new {
            let verdict = try await check.verdict(on: ref)
            let full = "refs/tags/\(ref.name)"
            result.notices += verdict.notices.map { "\(ref.name): \($0)" }
            for refusal in verdict.refusals {
                switch refusal {
                case .noModel, .noStage: result.notices.append("\(ref.name): \(refusal): it will not be delivered")
                default: result.refused.append((full, refusal))
                }
            }
            let isStaged = ModelTag(ref.name)?.stage?.isAssigned == true
            if isStaged, !result.refused.contains(where: { $0.ref == full }) { result.accepted.append(ref) }
        }
        return result
    }

    /// What holds for tags of models wherever they are pushed to.
    private func rules(_ tag: ModelTag, _ others: [(tag: ModelTag, name: String)]) -> [PolicyRefusal] {
        var refusals: [PolicyRefusal] = []
        let name = tag.model.description
        if let other = others.first(where: {
            "\($0.tag.model)" != name && "\($0.tag.model)".lowercased() == name.lowercased()
        }) {
            refusals.append(.likeAnother("\(other.tag.model)"))
        }
        if isServer, let counter = tag.counter, let stage = tag.stage?.name {
            let highest = others.filter { $0.tag.model == tag.model && $0.tag.stage?.name == stage }
                .max { ($0.tag.counter ?? 0) < ($1.tag.counter ?? 0) }
            if let highest, (highest.tag.counter ?? 0) >= counter { refusals.append(.counter(highest: highest.name)) }
        }
        return refusals
    }

    /// The tags that there are already of the models that the push speaks of, also of those whose names differ in case only.
    private func present(but updates: [RefUpdate]) throws -> [TagRef] {
        let pushed = Set(updates.compactMap(\.tag))
        let models = Set(pushed.compactMap { ModelTag($0)?.model.description.lowercased() })
        return try repository.refs(below: "refs/tags/").compactMap { ref in
            let name = String(ref.name.dropFirst("refs/tags/".count))
            guard !pushed.contains(name), let model = ModelTag(name)?.model.description.lowercased(),
                models.contains(model)
            else { return nil }
            return try repository.tagRef(name, at: ref.target)
        }
    }

    /// A name that only looks like a model's tag; one that could do harm in a careless script is refused.
    private func judgeName(_ update: RefUpdate, _ result: inout Result) {
        guard let name = update.tag, update.new != nil, update.old == nil else { return }
        let isHarmless = name.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 >= 128
                || "-_./=@#!+:,".utf8.contains($0)
        }
        let isClose = name.contains("#") || name.contains("@v")
        var reason = "its name breaks the grammar of models' tags"
        if case .nearMiss(let words) = ModelTag.read(Array(name.utf8)) { reason = words }
        if !isHarmless || name.hasPrefix("-") {
            result.refused.append((update.ref, OutOfGrammar(reason: reason)))
        } else if isClose {
            result.almost.append((update.ref, OutOfGrammar(reason: reason)))
        }
    }
}

/// A tag that looks like a model's, and whose name breaks the grammar.
public struct OutOfGrammar: Failure, Equatable {
    let reason: String
    public var kind: FailureKind { .user }
    public var description: String { "it looks like a tag of a model and is none: \(reason)" }
    public var hints: [String] { ["write NAME@v1.2.0 or NAME#STAGE#4; names hold letters, digits, -, / and _"] }
}
