internal import Base
public import GitKit
internal import SystemPackage

/// The code that a run is about to use, as a commit.
///
/// On a clean tree that is HEAD. Otherwise it is a commit on top of it with the changed tracked files, and the untracked
/// ones that `record.untracked` names. It is made with an index of its own: the user's index, work tree, branch and stash
/// are not touched. The same state gives the same commit.
public struct Snapshot: Sendable {
    /// The commit whose tree is the code.
    public let code: ObjectID
    /// Whether the work tree differed from HEAD.
    public let isDirty: Bool
    /// What differs from ``code`` all the same: too large, or with a secret in it.
    public let leftOut: [String]

    /// An untracked file of more bytes is left out.
    static let largestUntracked: Int64 = 1 << 20

    /// Takes the snapshot.
    public static func take(_ repository: Repository, settings: RecordSettings) async throws -> Snapshot {
        guard let head = try repository.head() else { throw SnapshotFailure.unborn }
        let workTree = try repository.requireWorkTree()
        let changes = try await changes(repository, untracked: settings.untracked)
        var kept: [String] = []
        var leftOut: [String] = []
        for change in changes {
            if try isKept(change, below: workTree) { kept.append(change.path) } else { leftOut.append(change.path) }
        }
        leftOut.sort()
        guard !kept.isEmpty else { return Snapshot(code: head, isDirty: !leftOut.isEmpty, leftOut: leftOut) }
        let tree = try await tree(repository, head: head, paths: kept)
        let commit = try repository.commit(head)
        if tree == commit.tree { return Snapshot(code: head, isDirty: !leftOut.isEmpty, leftOut: leftOut) }
        let signature = Signature(name: "git-ml", email: "git-ml@localhost", time: commit.committer.time)
        let code = try repository.writeCommit(
            tree: tree, parents: [head], by: signature, message: "git-ml snapshot of \(head.short)\n")
        return Snapshot(code: code, isDirty: true, leftOut: leftOut)
    }

    private struct Change {
        let path: String
        let isUntracked: Bool
    }

    /// What differs from HEAD, the untracked files that patterns name included.
    private static func changes(_ repository: Repository, untracked: [String]) async throws -> [Change] {
        let status = try await repository.git.run([
            "--no-optional-locks", "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames",
            "--ignore-submodules=dirty",
        ])
        let patterns = untracked.map { PathPattern($0) }
        return status.split(separator: "\0").compactMap { entry in
            guard entry.utf8.count > 3 else { return nil }
            let path = String(entry.dropFirst(3))
            guard entry.hasPrefix("??") else { return Change(path: path, isUntracked: false) }
            return patterns.contains { $0.matches(path) } ? Change(path: path, isUntracked: true) : nil
        }
    }

    private static func isKept(_ change: Change, below workTree: FilePath) throws -> Bool {
        if Secrets.isSecretFile(change.path) { return false }
        let file = workTree.appending(FilePath(change.path).components)
        guard let status = Files.status(file), status.kind == .file else { return true }
        if change.isUntracked, status.size > largestUntracked { return false }
        // Text is scanned; a data file of many megabytes is no place where a key is pasted.
        guard status.size <= 8 << 20, let bytes = try Files.read(file) else { return true }
        return Secrets.line(in: bytes) == nil
    }

    /// The tree of HEAD with the present content of some paths.
    private static func tree(_ repository: Repository, head: ObjectID, paths: [String]) async throws -> ObjectID {
        let index = repository.gitDirectory.appending("ml-snapshot-\(UUIDv7())")
        defer { Files.remove(index) }
        let git = Git(in: repository.workTree ?? repository.gitDirectory, environment: ["GIT_INDEX_FILE": index.string])
        try await git("read-tree", head.hex)
        let list = paths.map { $0 + "\0" }.joined()
        try await git("update-index", "--add", "--remove", "-z", "--stdin", input: Array(list.utf8))
        let tree = try await git("write-tree").trimmingTrailingSpace
        guard let id = ObjectID(tree) else { throw GitFailure.malformed(object: tree, reason: "it is no tree's id") }
        return id
    }
}

/// Why no snapshot could be taken.
enum SnapshotFailure: Failure {
    case unborn

    var kind: FailureKind { .user }
    var description: String { "this branch has no commit yet, and a run is recorded on a commit" }
    var hints: [String] { ["make one first: `git add . && git commit -m first`"] }
}
