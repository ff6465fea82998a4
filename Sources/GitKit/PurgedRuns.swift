internal import Base

/// The runs that were purged for good: their lines are dropped wherever they turn up.
///
/// A line of `refs/notes/ml/purged` names a run, the commits by which it first came into a notes history (`first`), so that
/// a history that holds it is recognised, the contents that went with it, and the kept commits that only it stood on (`code`).
public struct PurgedRuns: Sendable {
    public static let ref = "refs/notes/ml/purged"

    /// The commit of ``ref`` that this was read from.
    public let head: ObjectID?
    /// The runs' ids.
    public private(set) var runs: Set<String> = []
    /// Hex digits of the contents.
    public private(set) var contents: Set<String> = []
    /// Commits that were kept for these runs only.
    public private(set) var code: Set<ObjectID> = []
    private var first: Set<ObjectID> = []
    private var keys: Set<[UInt8]> = []

    /// Reads what was purged; `head` is a commit of ``ref`` other than the present one.
    public init(_ repository: Repository, at head: ObjectID? = nil) throws {
        self.head = try head ?? repository.ref(Self.ref)
        guard let head = self.head else { return }
        try NotesTree(repository: repository).each(head) { _, blob in
            for line in NoteLines.lines(try repository.blob(blob)) { add(line) }
        }
    }

    private mutating func add(_ line: String) {
        guard let json = try? JSON.parse(line), json["ev"]?.string == "purge", let run = json["run"]?.string else {
            return
        }
        runs.insert(run)
        keys.insert(Array(run.utf8))
        first.formUnion(json["first"]?.array?.compactMap { $0.string.flatMap { ObjectID($0) } } ?? [])
        code.formUnion(json["code"]?.array?.compactMap { $0.string.flatMap { ObjectID($0) } } ?? [])
        contents.formUnion(json["content"]?.array?.compactMap { $0.string.flatMap { Digest($0)?.hex } } ?? [])
    }

    public var isEmpty: Bool { runs.isEmpty }

    /// Whether a line belongs to a purged run.
    public func contains(_ line: ArraySlice<UInt8>) -> Bool {
        RunLines.run(of: line).map { keys.contains(Array($0)) } ?? false
    }

    /// A note without the lines of purged runs.
    func filtered(_ note: [UInt8]) -> [UInt8] {
        let lines = note.split(separator: 0x0a)
        if !lines.contains(where: contains) { return note }
        return lines.filter { !contains($0) }.flatMap { $0 + [0x0a] }
    }

    /// Whether a notes history holds a purged run; what is reachable from `clean` is known not to.
    func isHeld(by history: ObjectID, beyond clean: ObjectID?, in repository: Repository) throws -> Bool {
        if first.isEmpty { return false }
        var isHeld = false
        try repository.history(from: [history], hiding: clean.map { [$0] } ?? []) { commit in
            isHeld = first.contains(commit)
            return !isHeld
        }
        return isHeld
    }
}

// MARK: - Taking them out

extension Notes {
    /// Takes the lines of purged runs out, and the history that held them: what is left begins with a new first commit.
    ///
    /// Nothing happens where neither notes nor history hold any. The new commit depends only on the old one and on what
    /// was purged.
    public func drop(_ purged: PurgedRuns) throws {
        if purged.isEmpty { return }
        try repository.move(ref) { head in
            guard let head else { return nil }
            return try repository.withoutFlushing { try cleaned(head, beyond: nil, purged) }
        }
    }

    /// A commit with the same notes and without purged runs: the same one when it holds none.
    func cleaned(_ commit: ObjectID, beyond clean: ObjectID?, _ purged: PurgedRuns) throws -> ObjectID {
        if purged.isEmpty { return commit }
        var changed: [ObjectID: ObjectID] = [:]
        var emptied: [ObjectID: ObjectID] = [:]
        try changes(from: clean, to: commit) { object, _, blob in
            guard let blob else { return }
            let note = try repository.blob(blob)
            let rest = purged.filtered(note)
            if rest == note { return }
            if rest.isEmpty { emptied[object] = blob } else { changed[object] = try repository.write(.blob, rest) }
        }
        if changed.isEmpty, emptied.isEmpty, try !purged.isHeld(by: commit, beyond: clean, in: repository) {
            return commit
        }
        let tree = NotesTree(repository: repository)
        let rest = try tree.removing(emptied, root: tree.setting(changed, root: commit))
        return try repository.writeCommit(
            tree: rest, parents: [],
            by: Signature(
                name: "git-ml", email: "git-ml@localhost", time: repository.commit(commit).committer.time),
            message: "notes: purge\n")
    }
}
