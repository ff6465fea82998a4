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
        if ref == KeptCommits.ref || ref == ContentList.ref {
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
}
