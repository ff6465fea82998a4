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

    /// Whether an object has a note; cheaper than reading it.
    public func hasNote(on object: ObjectID) throws -> Bool {
        try repository.ref(ref).flatMap { try tree.note(on: object, root: $0) } != nil
    }

    /// The blob of an object's note at a commit of the ref; nil when it had none then.
    public func blob(on object: ObjectID, at commit: ObjectID) throws -> ObjectID? {
        try tree.note(on: object, root: commit)
    }

    /// The bytes that an object's note has; nil when it has none.
    public func size(on object: ObjectID) throws -> Int? {
        guard let head = try repository.ref(ref), let blob = try tree.note(on: object, root: head) else { return nil }
        return try repository.header(blob)?.size
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
    /// same commit. The cost is that of the difference. Nothing that stands here is lost, whatever the other side has
    /// done (`git notes merge -s theirs`, a note removed): its lines are united with ours again. With `isThorough` the
    /// other side's lines too are looked for here when our history holds its commit already. Purged runs do not come in.
    public func merge(_ other: ObjectID, isThorough: Bool = false) throws {
        var batches: [ObjectID] = []
        let purged = try PurgedRuns(repository)
        try repository.move(ref) { head in
            guard let head else { return try cleaned(other, beyond: nil, purged) }
            if other == head { return nil }
            let isOlder = try repository.isAncestor(other, of: head)
            if isOlder, try !isThorough || holds(head, all: other) { return nil }
            return try repository.withoutFlushing {
                let clean = try cleaned(other, beyond: head, purged)
                let isNewer = try !isOlder && clean == other && repository.isAncestor(head, of: clean)
                if isNewer, try holds(clean, all: head) { return clean }
                let result = try merged([head, clean].sorted(), parents: isOlder ? [head] : isNewer ? [clean] : nil)
                batches = result.batches
                // What was purged was all that the other side had more.
                let isSame = try clean != other && repository.commit(result.commit).tree == repository.commit(head).tree
                return isSame ? nil : result.commit
            }
        }
        try KeptCommits(repository).keep(batches)
    }

    /// Whether every line of the notes at `part` stands in those at `whole` too: on the same object, or on its batch
    /// commits.
    func holds(_ whole: ObjectID, all part: ObjectID, except purged: PurgedRuns? = nil) throws -> Bool {
        var holds = true
        try changes(from: part, to: whole) { object, old, new in
            guard holds, let old else { return }
            let bytes = try new.map { try repository.blob($0) } ?? []
            var missing = NoteLines.missing(try repository.blob(old), in: bytes).filter {
                !(purged?.contains($0) ?? false)
            }
            if missing.isEmpty { return }
            let elsewhere = try batchLines(of: object, root: whole)
            missing = NoteLines.missing(Array(missing.joined(separator: [0x0a])), in: elsewhere)
            holds = missing.isEmpty
        }
        return holds
    }

    private func merged(_ sides: [ObjectID], parents: [ObjectID]?) throws -> (commit: ObjectID, batches: [ObjectID]) {
        var overfull: [ObjectID: [UInt8]] = [:]
        let united = try tree.merging(sides[0], sides[1]) { mine, theirs in
            let (a, b) = (try repository.blob(mine), try repository.blob(theirs))
            let union = NoteLines.union(a, b)
            if union == a { return mine }
            if union == b { return theirs }
            guard union.count > BatchCommits.limit else { return try repository.write(.blob, union) }
            // Stands in for the note until it is known whose note it is.
            let mark = try repository.write(.blob, Array("overfull \(mine) \(theirs)\n".utf8))
            overfull[mark] = union
            return mark
        }
        let (tree, batches) = try spilling(overfull, tree: united)
        let time = try sides.map { try repository.commit($0).committer.time }.max() ?? Timestamp(seconds: 0)
        let commit = try repository.writeCommit(
            tree: tree, parents: parents ?? sides, by: Signature(name: "git-ml", email: "git-ml@localhost", time: time),
            message: "notes: merge\n")
        return (commit, batches)
    }

    private func lines(of blob: ObjectID) throws -> [String] { NoteLines.lines(try repository.blob(blob)) }
}
