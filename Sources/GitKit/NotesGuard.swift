public import Base

/// What a server lets happen to our refs: they only ever grow, apart from runs that were purged.
public struct NotesGuard: Sendable {
    /// Why an update was refused.
    public struct Refusal: Failure {
        public let description: String
        public var kind: FailureKind { .user }
        public var hints: [String] { ["run `git ml sync`, which unites both sides, then push again"] }
    }

    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// Checks one update of one ref, as git's `update` hook is told of it; nil stands for “not there”.
    ///
    /// The cost is that of the difference. Refs that are not ours pass.
    public func check(_ ref: String, from old: ObjectID?, to new: ObjectID?) throws {
        let isNotes = NotesSync.kinds.contains { ref == "refs/notes/ml/\($0)" }
        guard isNotes || ref == KeptCommits.ref || ref == ContentList.ref, let old else { return }
        guard let new else { throw Refusal(description: "\(ref) holds recorded runs and is not deleted") }
        let isGrown = try repository.isAncestor(old, of: new)
        if ref == KeptCommits.ref { return try checkKept(from: old, to: new, isGrown) }
        if ref == ContentList.ref {
            if !isGrown { throw Refusal(description: "\(ref) would lose what it holds: the push is no fast-forward") }
            return
        }
        let purged = ref == PurgedRuns.ref ? nil : try PurgedRuns(repository)
        if let purged, try purged.isHeld(by: new, beyond: isGrown ? old : nil, in: repository) {
            throw Refusal(description: "\(ref) would bring back runs that were purged")
        }
        if !isGrown, purged?.isEmpty ?? true {
            throw Refusal(description: "\(ref) would lose its history: the push is no fast-forward")
        }
        if try !Notes(ref, in: repository).holds(new, all: old, except: purged) {
            throw Refusal(description: "\(ref) would lose lines of recorded runs")
        }
    }

    /// The chain of kept commits may be made anew without those that were kept for purged runs, and must then have all others.
    private func checkKept(from old: ObjectID, to new: ObjectID, _ isGrown: Bool) throws {
        let purged = try PurgedRuns(repository).code
        if isGrown, purged.isEmpty { return }
        let chain = KeptCommits(repository)
        let kept = try Set(chain.kept(by: new))
        if !kept.isDisjoint(with: purged) {
            throw Refusal(description: "\(KeptCommits.ref) would bring back the code of runs that were purged")
        }
        if try !isGrown && !Set(chain.kept(by: old)).subtracting(purged).isSubset(of: kept) {
            throw Refusal(description: "\(KeptCommits.ref) would lose what it holds: the push is no fast-forward")
        }
    }
}
