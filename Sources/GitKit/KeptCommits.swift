internal import Base
internal import SystemPackage

/// Keeps commits from being collected although no branch or tag reaches them: the code of recorded runs.
///
/// `refs/ml/snapshots` is a chain of commits with an empty tree; the parents of each are the one before it and the commit
/// that it keeps. Diverged chains are merged by a commit with both heads as parents.
public struct KeptCommits: Sendable {
    public static let ref = "refs/ml/snapshots"

    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// Keeps commits; one that the chain reaches already changes nothing.
    ///
    /// What a link of the chain consists of depends only on the link before and the commit.
    public func keep(_ commits: [ObjectID]) throws {
        guard !commits.isEmpty else { return }
        try repository.move(Self.ref) { head in
            try repository.withoutFlushing {
                var chain = head
                for commit in Set(commits).sorted() {
                    if let head, try repository.isAncestor(commit, of: head) { continue }
                    chain = try link([chain, commit].compactMap { $0 }, message: "keep \(commit)\n")
                }
                return chain
            }
        }
    }

    /// Unites the chain with one that was fetched; what was kept for purged runs stays out.
    public func merge(_ other: ObjectID) throws {
        let purged = try PurgedRuns(repository).code
        try repository.move(Self.ref) { head in
            guard let other = try without(purged, other) else { return nil }
            guard let head else { return other }
            if try repository.isAncestor(other, of: head) { return nil }
            if try repository.isAncestor(head, of: other) { return other }
            return try link([head, other].sorted(), message: "snapshots: merge\n")
        }
    }

    /// Takes commits out of the chain: the others are kept by a new one.
    func drop(_ commits: Set<ObjectID>) throws {
        if commits.isEmpty { return }
        try repository.move(Self.ref) { head in
            guard let head else { return nil }
            // A ref is never deleted: other clones would bring the old chain back.
            return try without(commits, head) ?? link([], message: "snapshots: none\n")
        }
    }

    /// A chain that keeps the same without some commits; the same one where it keeps none of them, nil when nothing is left.
    ///
    /// The new chain depends only on what it keeps.
    private func without(_ commits: Set<ObjectID>, _ chain: ObjectID) throws -> ObjectID? {
        if commits.isEmpty { return chain }
        let kept = try Set(self.kept(by: chain))
        if kept.isDisjoint(with: commits) { return chain }
        return try repository.withoutFlushing {
            var new: ObjectID?
            for commit in kept.subtracting(commits).sorted() {
                new = try link([new, commit].compactMap { $0 }, message: "keep \(commit)\n")
            }
            return new
        }
    }

    /// The commits kept last, newest first.
    public func recent(_ count: Int) throws -> [ObjectID] {
        try repository.ref(Self.ref).map { try kept(by: $0, atMost: count) } ?? []
    }

    func kept(by chain: ObjectID, atMost count: Int = .max) throws -> [ObjectID] {
        var kept: [ObjectID] = []
        var seen: Set<ObjectID> = []
        var waiting = [chain]
        while kept.count < count, !waiting.isEmpty {
            let link = try repository.commit(waiting.removeFirst())
            guard seen.insert(link.id).inserted else { continue }
            if link.message.hasPrefix("keep") {
                kept += link.parents.suffix(1)
                waiting += link.parents.dropLast()
            } else {
                waiting += link.parents
            }
        }
        return kept
    }

    private func link(_ parents: [ObjectID], message: String) throws -> ObjectID {
        let time = try parents.map { try repository.commit($0).committer.time }.max() ?? Timestamp(seconds: 0)
        return try repository.writeCommit(
            tree: repository.write(Tree()), parents: parents,
            by: Signature(name: "git-ml", email: "git-ml@localhost", time: time), message: message)
    }
}

// MARK: - What has become unreachable

extension KeptCommits {
    /// Keeps the commits that carry a note and that no branch or tag reaches.
    ///
    /// `gone` are branches (full names, remote-tracking ones too) that count for nothing because they are about to go.
    /// Looks only at what has changed since the last call: notes that are new, and branches that have moved back or gone.
    public func keepUnreachable(gone: Set<String> = []) async throws {
        let before = State(try Files.readText(stateFile) ?? "")
        var now = State("")
        var starts: Set<ObjectID> = []
        for ref in Self.notedRefs {
            guard let head = try repository.ref(ref) else { continue }
            now.notes[ref] = head
            let known = before.notes[ref]
            let old = try known.flatMap { try repository.header($0) == nil ? nil : $0 }
            if old == head { continue }
            try Notes(ref, in: repository).changes(from: old, to: head) { object, was, _ in
                if was == nil { starts.insert(object) }
            }
        }
        now.tips = Set(
            try ["refs/heads/", "refs/tags/", "refs/remotes/"].flatMap { try repository.refs(below: $0) }
                .filter { !gone.contains($0.name) }.map(\.target))
        starts.formUnion(before.tips.subtracting(now.tips))
        let chain = try repository.ref(Self.ref)
        try keep(try await tips(from: starts, hiding: now.tips.union(chain.map { [$0] } ?? [])))
        if now != before { try Files.replace(stateFile, with: now.text.utf8) }
    }

    /// Keeps those of some commits that carry a note and that no branch or tag reaches.
    public func keepUnreachable(noted commits: [ObjectID]) async throws {
        let roots = try ["refs/heads/", "refs/tags/", "refs/remotes/", Self.ref].flatMap {
            try repository.refs(below: $0)
        }
        try keep(try await tips(from: Set(commits), hiding: Set(roots.map(\.target))))
    }

    /// The notes refs whose commits are code.
    private static let notedRefs = ["refs/notes/ml/runs", "refs/notes/ml/deliveries"]

    private var stateFile: FilePath { repository.mlDirectory.appending("kept") }

    /// The newest commits with a note among those that are reachable from `starts` and from nothing hidden.
    private func tips(from starts: Set<ObjectID>, hiding hidden: Set<ObjectID>) async throws -> [ObjectID] {
        let starts = starts.subtracting(hidden)
        if starts.isEmpty { return [] }
        let input = (starts.map(\.hex) + hidden.map { "^\($0)" }).joined(separator: "\n") + "\n"
        // What is not here (a shallow clone, a note that came before its commit) is passed over.
        let list = try await repository.git.run(
            ["rev-list", "--ignore-missing", "--topo-order", "--parents", "--stdin"], input: Array(input.utf8))
        let noted = Self.notedRefs.map { Notes($0, in: repository) }
        var covered: Set<ObjectID> = []
        var tips: [ObjectID] = []
        for line in list.split(separator: "\n") {
            let ids = line.split(separator: " ").compactMap { ObjectID($0) }
            guard let commit = ids.first else { continue }
            if !covered.contains(commit), try noted.contains(where: { try $0.hasNote(on: commit) }) {
                tips.append(commit)
                covered.insert(commit)
            }
            if covered.contains(commit) { covered.formUnion(ids.dropFirst()) }
        }
        return tips
    }

    /// What was looked at: the notes' heads, and what branches and tags pointed at.
    private struct State: Equatable {
        var notes: [String: ObjectID] = [:]
        var tips: Set<ObjectID> = []

        init(_ text: String) {
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let last = words.last, let id = ObjectID(last) else { continue }
                if words.count == 2 { notes[String(words[0])] = id } else { tips.insert(id) }
            }
        }

        var text: String {
            (notes.map { "\($0.key) \($0.value)" }.sorted() + tips.map(\.hex).sorted()).joined(separator: "\n") + "\n"
        }
    }
}
