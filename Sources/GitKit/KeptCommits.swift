internal import Base

/// `refs/ml/snapshots`: keeps commits that no branch or tag reaches.
///
/// A chain of commits with an empty tree whose parents are the previous head and the kept commit.
public struct KeptCommits: Sendable {
    public static let ref = "refs/ml/snapshots"

    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// Keeps commits that the chain does not keep yet.
    public func keep(_ commits: [ObjectID]) throws {
        for commit in commits {
            try repository.move(Self.ref) { head in
                if let head, try repository.isAncestor(commit, of: head) { return nil }
                let tree = try repository.write(Tree())
                return try repository.writeCommit(
                    tree: tree, parents: [head, commit].compactMap { $0 }, by: repository.user(), message: "keep\n")
            }
        }
    }

    /// The commits kept last, newest first.
    public func recent(_ count: Int) throws -> [ObjectID] {
        var kept: [ObjectID] = []
        var next = try repository.ref(Self.ref)
        while let head = next, kept.count < count {
            let parents = try repository.commit(head).parents
            if let last = parents.last { kept.append(last) }
            next = parents.count > 1 ? parents[0] : nil
        }
        return kept
    }
}
