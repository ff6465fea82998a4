public import Base
public import GitKit
public import Storage
internal import SystemPackage

/// A data remote that is the store which is to be pruned.
public struct RemoteIsStore: Failure {
    let remote: String
    let store: String

    public var kind: FailureKind { .user }
    public var description: String {
        "the data remote \(remote) is the store of this clone itself (\(store)): nothing was deleted"
    }
    public var hints: [String] {
        ["name another place in ml.yaml (`data.remote`) and `git ml push --all`, then prune"]
    }
}

/// Decides which content of this clone can go: what is at the remote and nobody here is likely to need soon.
public struct Pruning: Sendable {
    let repository: Repository
    /// What commits of so many days name stays.
    private let days: Int

    public init(_ repository: Repository, days: Int) {
        self.repository = repository
        self.days = days
    }

    /// What is here and may go if the remote has it, with its size.
    ///
    /// Stays: what an index or HEAD of a work tree, a merge or the like that is going on, a stash, a commit of the last days, one
    /// that no remote has or the journal names, and every file that came into the store after `time`.
    public func candidates(olderThan time: Timestamp) async throws -> [ContentID] {
        let store = repository.contentStore
        let kept = try await retained()
        return try store.all().filter { !kept.contains($0) }.compactMap { digest in
            guard let status = Files.status(store.path(of: digest)), status.modified < time else { return nil }
            return ContentID(digest, size: status.size)
        }
    }

    /// Those of the contents of a store that a remote has, and that can be brought again from there.
    ///
    /// A remote that is this very store, or a link to it, is an error.
    public func safe(_ contents: [ContentID], in store: ContentStore, at remote: any ObjectRemote) async throws
        -> Set<ContentID>
    {
        if contents.isEmpty { return [] }
        let present = try await remote.present(contents, for: .download)
        if present.isEmpty { return [] }
        guard try await !remote.isSame(as: store) else {
            throw RemoteIsStore(remote: remote.address, store: store.root.string)
        }
        return present
    }

    private func retained() async throws -> Set<Digest> {
        let files = DataFiles(repository)
        var kept: Set<Digest> = []
        for git in try indexes() {
            kept.formUnion(try await files.inIndex(of: git, conflicts: true).map(\.pointer.digest))
        }
        for commit in try await commits() { kept.formUnion(try await files.at(commit).map(\.pointer.digest)) }
        return kept.union(try journal())
    }

    /// The folders that git keeps of the work trees, as a place to run it in.
    private func places() throws -> [(folder: FilePath, git: Git)] {
        let common = repository.commonDirectory
        let worktrees = try Files.list(common.appending("worktrees")).map {
            common.appending("worktrees").appending($0)
        }
        return ([common] + worktrees).map { ($0, Git(in: $0, environment: ["GIT_DIR": $0.string])) }
    }

    /// Those of them that have an index.
    func indexes() throws -> [Git] {
        try places().filter { Files.exists($0.folder.appending("index")) }.map(\.git)
    }

    /// The commits whose content stays, one of each tree.
    func commits() async throws -> [ObjectID] {
        var commits: Set<ObjectID> = []
        for (_, git) in try places() {
            for name in ["HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "ORIG_HEAD"] {
                let head = try await git.attempt(["rev-parse", "--verify", "--quiet", name + "^{commit}"])
                if let id = ObjectID(head.trimmed) { commits.insert(id) }
            }
        }
        if try !repository.remotes().isEmpty {
            commits.formUnion(try await list(["rev-list", "--branches", "--tags", "--not", "--remotes"]))
        }
        commits.formUnion(try await list(["rev-list", "--all", "--reflog", "--since=\(days).days.ago"]))
        if try repository.ref("refs/stash") != nil {
            // A stash is a merge of HEAD, the index and the untracked files.
            for walk in ["-g", "-1"] {
                commits.formUnion(try await list(["log", walk, "--format=%H %P", "refs/stash"]))
            }
        }
        var seen: Set<ObjectID> = []
        return commits.filter { commit in
            guard let tree = try? repository.commit(commit).tree else { return false }
            return seen.insert(tree).inserted
        }
    }

    func list(_ arguments: [String]) async throws -> [ObjectID] {
        String(decoding: try await repository.git.bytes(arguments), as: UTF8.self)
            .split { $0.isWhitespace }.compactMap { ObjectID($0) }
    }

    /// The digests that runs in the journal name; they may not be in any commit yet.
    private func journal() throws -> Set<Digest> {
        var found: Set<Digest> = []
        let folder = repository.mlDirectory.appending("journal")
        for name in try Files.list(folder) where Files.status(folder.appending(name))?.kind == .file {
            var rest = (try Files.read(folder.appending(name)) ?? [])[...]
            let mark = Array("sha256:".utf8)
            while let colon = rest.firstIndex(of: 0x3a) {
                if rest[..<colon].suffix(6).elementsEqual(mark.dropLast()),
                    let digest = Digest(String(decoding: rest[(colon + 1)...].prefix(64), as: UTF8.self))
                {
                    found.insert(digest)
                }
                rest = rest[(colon + 1)...]
            }
        }
        return found
    }
}
