import Base
import SystemPackage
import TestSupport
import Testing

@testable import GitKit

struct KeptCommitsTests {
    private let sandbox: Sandbox
    private let repository: Repository
    private var kept: KeptCommits { KeptCommits(repository) }

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
    }

    private func sh(_ line: String) async throws -> String {
        try await sandbox.sh(line, in: "work").trimmingTrailingSpace
    }

    private func noted(_ revision: String) async throws -> ObjectID {
        let commit = try repository.resolve(revision)
        try Notes("refs/notes/ml/runs", in: repository).add([commit: ["line"]], message: "x")
        return commit
    }

    private func isKept(_ commit: ObjectID) throws -> Bool {
        guard let head = try repository.ref(KeptCommits.ref) else { return false }
        return try repository.isAncestor(commit, of: head)
    }

    @Test func `a commit that nothing reaches survives gc, and keeping it again changes nothing`() async throws {
        let commit = try #require(
            ObjectID(
                try await sh("echo 'tree x' >x; git add x; git commit-tree $(git write-tree) -m code; git reset -q")))
        try kept.keep([commit])
        let head = try repository.ref(KeptCommits.ref)
        try kept.keep([commit])
        #expect(try repository.ref(KeptCommits.ref) == head)
        let shown = try await sh("git gc -q --prune=now; git fsck --strict; git show \(commit):x")
        #expect(shown == "tree x")
    }

    @Test func `only noted commits that no branch or tag reaches are kept, by their newest`() async throws {
        _ = try await sh(
            """
            git checkout -q -b feature; for i in 1 2 3; do git commit -q --allow-empty -m f$i; done
            git checkout -q main; git checkout -q --detach; git commit -q --allow-empty -m tagged; git tag t
            git checkout -q main
            """)
        let (old, new) = (try await noted("feature~1"), try await noted("feature"))
        _ = try await noted("t")
        try await kept.keepUnreachable()
        #expect(try repository.ref(KeptCommits.ref) == nil)
        _ = try await sh("git branch -q -D feature")
        try await kept.keepUnreachable()
        #expect(try isKept(new) && isKept(old))
        let first = try await sh("git log --format=%s refs/ml/snapshots | grep -c ^keep")
        #expect(first == "1")
        _ = try await sh("git tag -d t")
        try await kept.keepUnreachable()
        let links = try await sh("git log --format=%s refs/ml/snapshots | grep -c ^keep")
        #expect(links == "2")
    }

    @Test func `a branch that is about to go counts for nothing`() async throws {
        _ = try await sh("git checkout -q -b feature; git commit -q --allow-empty -m f; git checkout -q main")
        let commit = try await noted("feature")
        try await kept.keepUnreachable(gone: ["refs/heads/feature"])
        #expect(try isKept(commit))
    }

    @Test func `a note on a commit that is not here stops nothing`() async throws {
        let commit = try await noted("HEAD")
        let absent = try #require(ObjectID(String(repeating: "ab", count: 20)))
        try Notes("refs/notes/ml/runs", in: repository).add([absent: ["line"]], message: "x")
        try await kept.keepUnreachable(gone: ["refs/heads/main"])
        #expect(try isKept(commit))
    }

    @Test func `two chains that diverged merge to the same commit on both sides`() async throws {
        let commits = try ["a", "b"].map {
            try repository.writeCommit(
                tree: repository.write(Tree()), parents: [], by: repository.user(at: Timestamp(seconds: 1)), message: $0
            )
        }
        var heads: [ObjectID] = []
        for commit in commits {
            _ = try await sh("git update-ref -d refs/ml/snapshots")
            try kept.keep([commit])
            heads.append(try #require(try repository.ref(KeptCommits.ref)))
        }
        try kept.merge(heads[0])
        let one = try repository.ref(KeptCommits.ref)
        _ = try await sh("git update-ref refs/ml/snapshots \(heads[0])")
        try kept.merge(heads[1])
        #expect(try repository.ref(KeptCommits.ref) == one)
        #expect(try isKept(commits[0]) && isKept(commits[1]))
    }
}

struct BatchCommitsTests {
    private let sandbox: Sandbox
    private let repository: Repository

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
    }

    private func run(_ number: Int, bytes: Int) -> String {
        let id = Hex.encode([UInt8](repeating: 0, count: 12) + (0..<4).map { UInt8(number >> (24 - 8 * $0) & 255) })
        return "{\"t\":\"2026-01-01T00:00:00.000000Z\",\"run\":\"\(id)\",\"ev\":\"tags\",\"set\":{\"x\":\""
            + String(repeating: "x", count: bytes) + "\"},\"unset\":[]}"
    }

    @Test func `runs beyond four mebibytes go to batch commits, once each`() async throws {
        let notes = Notes("refs/notes/ml/runs", in: repository)
        let head = try repository.resolve("HEAD")
        let runs = (0..<10).map { run($0, bytes: 1 << 20) }
        for run in runs { try notes.addInBatches([head: [run]], message: "x") }
        let batches = BatchCommits(repository)
        let places = try batches.places(of: head) { try notes.size(on: $0) }
        #expect(places.count == 3)
        #expect(try places.flatMap { try notes.lines(on: $0) }.sorted() == runs)
        let before = try repository.ref(notes.ref)
        try notes.addInBatches([head: runs], message: "again")
        #expect(try repository.ref(notes.ref) == before)
        // The batch commits are ordinary commits that gc leaves alone.
        let shown = try await sandbox.sh(
            "git gc -q --prune=now; git fsck --strict; git log -1 --format='%an %ae %s %P' \(places[1])", in: "work")
        #expect(shown == "git-ml git-ml@localhost git-ml batch 1 \(head)\n")
    }

    @Test func `a merge never makes a note of more than sixteen mebibytes, and both sides make the same`() async throws
    {
        let head = try repository.resolve("HEAD")
        let (a, b) = (Notes("refs/notes/a", in: repository), Notes("refs/notes/b", in: repository))
        let runs = (0..<40).map { run($0, bytes: 1 << 19) }
        try a.add([head: Array(runs[..<20])], message: "x")
        try b.add([head: Array(runs[18...])], message: "y")
        let heads = [try #require(try repository.ref(a.ref)), try #require(try repository.ref(b.ref))]
        try a.merge(heads[1])
        try b.merge(heads[0])
        #expect(try repository.ref(a.ref) == repository.ref(b.ref))
        let places = try BatchCommits(repository).places(of: head) { try a.size(on: $0) }
        #expect(try places.flatMap { try a.lines(on: $0) }.sorted() == runs)
        for place in places { #expect(try #require(try a.size(on: place)) <= BatchCommits.limit) }
    }
}
