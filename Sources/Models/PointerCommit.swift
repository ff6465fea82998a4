internal import Base
public import GitKit
internal import Pointers
public import Runs
internal import Storage
internal import SystemPackage

/// Puts files that are content here into a tree as pointers, in an index of its own: work tree, index and the current branch
/// are not touched.
public struct PointerCommit: Sendable {
    private let repository: Repository
    private let items: [RunItem]
    /// A file or folder of which only the items are to be left.
    private let replaced: String?

    public init(_ repository: Repository, _ items: [RunItem], replacing path: String? = nil) {
        self.repository = repository
        self.items = items
        replaced = path
    }

    /// Moves the bytes to where git's filter and `git push` look for them; returns the first item whose bytes are not here.
    public func keepContent() throws -> RunItem? {
        let store = repository.contentStore
        let kept = KeptObjects(repository).store
        for item in items where item.size > 0 && !store.contains(item.digest, size: item.size) {
            guard kept.contains(item.digest, size: item.size) else { return item }
            try store.insert(copyOf: kept.path(of: item.digest), as: item.digest, size: item.size)
        }
        return nil
    }

    /// The parent's tree with the pointers, and with attributes for those that no line of `.gitattributes` tracks.
    public func tree(on parent: ObjectID) async throws -> ObjectID {
        let index = repository.gitDirectory.appending("ml-register-\(UUIDv7())")
        defer { Files.remove(index) }
        let git = Git(
            in: repository.workTree ?? repository.gitDirectory,
            environment: ["GIT_DIR": repository.gitDirectory.string, "GIT_INDEX_FILE": index.string])
        try await git("read-tree", parent.hex)
        let untracked = try await untracked(git)
        var entries = try removals(on: parent)
        entries += try repository.withoutFlushing {
            try items.map { item in
                let id = try repository.write(.blob, Array(Pointer(digest: item.digest, size: item.size).text.utf8))
                return "100644 \(id.hex)\t\(item.path)\0"
            }
        }
        if !untracked.isEmpty {
            var text = String(decoding: try repository.file(".gitattributes", in: parent) ?? [], as: UTF8.self)
            if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
            text += untracked.map(Attributes.line).joined()
            entries.append("100644 \(try repository.write(.blob, Array(text.utf8)).hex)\t.gitattributes\0")
        }
        try await git.run(["update-index", "--add", "-z", "--index-info"], input: Array(entries.joined().utf8))
        let tree = try await git("write-tree").trimmingTrailingSpace
        guard let id = ObjectID(tree) else { throw GitFailure.malformed(object: tree, reason: "it is no tree's id") }
        return id
    }

    /// What stands in the way of the items, as lines that take it out of an index.
    private func removals(on parent: ObjectID) throws -> [String] {
        guard let replaced, let entry = try repository.entry(replaced, in: parent) else { return [] }
        var paths: [String] = []
        if entry.mode == .directory {
            try repository.walk(entry.id) { path, _ in paths.append("\(replaced)/\(path)") }
        } else {
            paths = [replaced]
        }
        let none = String(repeating: "0", count: parent.hex.utf8.count)
        return paths.map { "0 \(none)\t\($0)\0" }
    }

    /// The paths that go through no filter at the parent.
    private func untracked(_ git: Git) async throws -> [String] {
        let paths = items.map(\.path)
        let text = try await git.run(
            ["check-attr", "--cached", "-z", "--stdin", "filter"], input: Array(paths.map { $0 + "\0" }.joined().utf8))
        // path NUL attribute NUL value NUL
        let words = text.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
        return stride(from: 0, to: max(0, words.count - 2), by: 3).filter { words[$0 + 2] != "lfs" }.map { words[$0] }
    }
}
