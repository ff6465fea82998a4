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
        try tree.all(repository.ref(ref)).mapValues { try lines(of: $0) }
    }

    /// The objects that have notes.
    public func objects() throws -> Set<ObjectID> { Set(try tree.all(repository.ref(ref)).keys) }

    /// Adds lines to the notes of some objects: one commit, one ref update, nothing lost when many do it at once.
    ///
    /// Writers of one clone queue on a lock; against everybody else the ref moves by compare-and-swap and the
    /// union is made again when somebody was faster. Lines that are there already change nothing, and when all of
    /// them are, no commit is made.
    public func add(_ lines: [ObjectID: [String]], message: String) throws {
        try exclusively { head in
            var blobs: [ObjectID: ObjectID] = [:]
            for (object, new) in lines {
                let old = try tree.note(on: object, root: head).map { try self.lines(of: $0) } ?? []
                let union = Self.union(old, new)
                if union != old { blobs[object] = try write(union) }
            }
            if blobs.isEmpty { return nil }
            return try repository.writeCommit(
                tree: tree.setting(blobs, root: head), parents: head.map { [$0] } ?? [], by: repository.user(),
                message: message + "\n")
        }
    }

    /// Unites these notes with those at another commit of the same kind (what was fetched).
    ///
    /// The merge commit depends on nothing but its two parents, so two clones that merge the same pair make the
    /// same commit.
    public func merge(_ other: ObjectID) throws {
        try exclusively { head in
            guard let head else { return other }
            if try repository.isAncestor(other, of: head) { return nil }
            if try repository.isAncestor(head, of: other) { return other }
            let parents = [head, other].sorted()
            let (mine, theirs) = (try tree.all(parents[0]), try tree.all(parents[1]))
            var blobs: [ObjectID: ObjectID] = [:]
            for (object, blob) in theirs where mine[object] != blob {
                guard let own = mine[object] else {
                    blobs[object] = blob
                    continue
                }
                blobs[object] = try write(Self.union(lines(of: own), lines(of: blob)))
            }
            let time = try parents.map { try repository.commit($0).committer.time }.max() ?? Timestamp(seconds: 0)
            return try repository.writeCommit(
                tree: tree.setting(blobs, root: parents[0]), parents: parents,
                by: Signature(name: "git-ml", email: "git-ml@localhost", time: time),
                message: "notes: merge\n")
        }
    }

    private func exclusively(_ next: (ObjectID?) throws -> ObjectID?) throws {
        try repository.move(ref, next)
    }

    private func write(_ lines: [String]) throws -> ObjectID {
        try repository.write(.blob, Array((lines.joined(separator: "\n") + "\n").utf8))
    }

    private func lines(of blob: ObjectID) throws -> [String] {
        String(decoding: try repository.blob(blob), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private static func union(_ a: [String], _ b: [String]) -> [String] {
        // Swift's own comparison follows Unicode; git's sort and ours go by bytes.
        var seen: Set<[UInt8]> = []
        return (a + b.filter { !$0.isEmpty }).filter { seen.insert(Array($0.utf8)).inserted }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
