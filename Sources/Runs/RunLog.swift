internal import Base
public import GitKit

/// All runs of a repository.
public struct RunLog: Sendable {
    public static let ref = "refs/notes/ml/runs"

    public let repository: Repository
    public let notes: Notes

    public init(_ repository: Repository) {
        self.repository = repository
        notes = Notes(Self.ref, in: repository)
    }

    /// Folds the runs that have ended out of the journal into the notes.
    public func fold() throws {
        try Journal(repository).fold { batch in
            if !batch.isEmpty { try add(batch.lines, message: "runs: fold \(batch.runs.count)") }
        }
    }

    /// Adds event lines to the notes of commits, in one ref update.
    ///
    /// Lines of purged runs are dropped. Where a note has 4 MiB, further runs go to a batch commit, which is kept by `refs/ml/snapshots`.
    public func add(_ lines: [ObjectID: [String]], message: String) throws {
        let purged = try PurgedRuns(repository)
        let lines =
            purged.isEmpty ? lines : lines.mapValues { $0.filter { !purged.contains(Array($0.utf8)[...]) } }
        try notes.addInBatches(lines, message: message)
    }

    /// The event lines of a commit, those on its batch commits included.
    public func lines(on commit: ObjectID) throws -> [String] {
        try BatchCommits(repository).places(of: commit) { try notes.size(on: $0) }.flatMap { try notes.lines(on: $0) }
    }

    /// The lines of a commit that git has rewritten, for the one that took its place: each run is linked to it as well.
    public func carried(from old: ObjectID, to new: ObjectID) throws -> [String] {
        let lines = try lines(on: old)
        if lines.isEmpty { return [] }
        let isExact = try repository.commit(old).tree == repository.commit(new).tree
        var links: [String] = []
        for run in Run.fold(lines, on: old) where !run.links.contains(new) {
            guard let id = UUIDv7(run.id) else { continue }
            var events = RunEvents(run: id, at: Journal.next(after: lines))
            events.link(new, isExact: isExact)
            links += events.lines
        }
        return lines + links
    }

    /// The runs on one commit, without deleted ones.
    public func runs(on commit: ObjectID) throws -> [Run] {
        let lines = try lines(on: commit)
        if lines.isEmpty { return [] }
        let purged = try PurgedRuns(repository)
        return Run.fold(lines, on: commit, LineClock(repository, head: try repository.ref(Self.ref)))
            .filter { !$0.isDeleted && !purged.runs.contains($0.id) }
    }
}
