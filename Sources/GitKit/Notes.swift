internal import Base

/// Sets of lines on commits, kept in a notes ref; the only thing that ever happens to a set is that it grows.
///
/// Lines are sorted by their bytes and stand once each, so that two copies of a note merge by set union and
/// `git notes merge -s cat_sort_uniq` gives the same bytes as ``merge(_:)``.
public struct Notes: Sendable {
    public let repository: Repository
    /// The full name: `refs/notes/ml/runs`.
    public let ref: String

    public init(_ ref: String, in repository: Repository) {
        self.ref = ref
        self.repository = repository
    }

    private var tree: NotesTree { NotesTree(repository: repository) }

    /// The lines on one object.
    public func lines(on object: ObjectID) throws -> [String] {
        guard let head = try repository.ref(ref), let blob = try tree.note(on: object, root: head) else { return [] }
        return try lines(of: blob)
    }

    /// The lines on every object that has any.
    public func all() throws -> [ObjectID: [String]] {
        var all: [ObjectID: [String]] = [:]
        try tree.each(repository.ref(ref)) { all[$0] = try lines(of: $1) }
        return all
    }

    /// The objects that have notes.
    public func objects() throws -> Set<ObjectID> {
        var objects: Set<ObjectID> = []
        try tree.each(repository.ref(ref)) { object, _ in objects.insert(object) }
        return objects
    }

    /// Calls `body` for every object whose note differs between two commits of a notes ref: the blobs before and after.
    ///
    /// `old` is nil for everything that there is in `new`. In no particular order; the cost is that of the difference.
    public func changes(
        from old: ObjectID?, to new: ObjectID,
        _ body: (_ annotated: ObjectID, _ old: ObjectID?, _ new: ObjectID?) throws -> Void
    ) throws {
        try tree.changes(from: old, to: new, body)
    }

    /// Adds lines to the notes of some objects: one commit, one ref update, nothing lost when many do it at once.
    ///
    /// Writers of one clone queue on a lock; against everybody else the ref moves by compare-and-swap and the
    /// union is made again when somebody was faster. Lines that are there already change nothing, and when all of
    /// them are, no commit is made.
    public func add(_ lines: [ObjectID: [String]], message: String) throws {
        try repository.move(ref) { head in
            try repository.withoutFlushing {
                var blobs: [ObjectID: ObjectID] = [:]
                for (object, new) in lines {
                    let old = try tree.note(on: object, root: head).map { try repository.blob($0) } ?? []
                    let union = NoteLines.union(old, NoteLines.joined(new))
                    if union != old { blobs[object] = try repository.write(.blob, union) }
                }
                if blobs.isEmpty { return nil }
                return try repository.writeCommit(
                    tree: tree.setting(blobs, root: head), parents: head.map { [$0] } ?? [], by: repository.user(),
                    message: message + "\n")
            }
        }
    }

    /// Unites these notes with those at another commit of the same kind (what was fetched).
    ///
    /// The merge commit depends on nothing but its two parents, so two clones that merge the same pair make the
    /// same commit. The cost is that of the difference.
    public func merge(_ other: ObjectID) throws {
        try repository.move(ref) { head in
            guard let head else { return other }
            if try repository.isAncestor(other, of: head) { return nil }
            if try repository.isAncestor(head, of: other) { return other }
            return try repository.withoutFlushing { try merged([head, other].sorted()) }
        }
    }

    private func merged(_ parents: [ObjectID]) throws -> ObjectID {
        let tree = try tree.merging(parents[0], parents[1]) { mine, theirs in
            let (a, b) = (try repository.blob(mine), try repository.blob(theirs))
            let union = NoteLines.union(a, b)
            return union == a ? mine : union == b ? theirs : try repository.write(.blob, union)
        }
        let time = try parents.map { try repository.commit($0).committer.time }.max() ?? Timestamp(seconds: 0)
        return try repository.writeCommit(
            tree: tree, parents: parents, by: Signature(name: "git-ml", email: "git-ml@localhost", time: time),
            message: "notes: merge\n")
    }

    private func lines(of blob: ObjectID) throws -> [String] { NoteLines.lines(try repository.blob(blob)) }
}
