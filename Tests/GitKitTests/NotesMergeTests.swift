import Base
import SystemPackage
import TestSupport
import Testing

@testable import GitKit

struct NotesMergeTests {
    private let sandbox: Sandbox
    private let repository: Repository

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
    }

    private func objects(_ count: Int) throws -> [ObjectID] {
        try (0..<count).map { try repository.write(.blob, Array("object \($0)".utf8)) }
    }

    /// A notes commit that holds exactly these blobs.
    private func commit(_ notes: [ObjectID: ObjectID], parents: [ObjectID] = []) throws -> ObjectID {
        try repository.writeCommit(
            tree: NotesTree(repository: repository).setting(notes, root: nil), parents: parents,
            by: repository.user(at: Timestamp(seconds: 1)), message: "x\n")
    }

    /// A note as people's tools leave it: unsorted, with blank lines, carriage returns, without a last line end.
    private func note(_ generator: inout SeededGenerator) throws -> ObjectID {
        let words = ["", "a", "é", "Z", "a\r", "\r", "{\"t\":1}", " a", "\t", "\u{1F600}", "aa", "~"]
        let lines = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
            words.randomElement(using: &generator) ?? ""
        }
        let end = Bool.random(using: &generator) ? "\n" : ""
        return try repository.write(.blob, Array(((["x"] + lines).joined(separator: "\n") + end).utf8))
    }

    private func gitMerge(_ a: ObjectID, _ b: ObjectID) async throws -> String {
        try await sandbox.sh(
            """
            git update-ref refs/notes/git \(a) && git notes --ref=git merge -q -s cat_sort_uniq \(b)
            git rev-parse 'refs/notes/git^{tree}'
            """, in: "work"
        ).trimmingTrailingSpace
    }

    @Test(arguments: [(1, 3), (2, 12), (3, 60), (4, 300), (5, 900)])
    func `merging two histories gives git's bytes, whatever the lines and the fan-out`(seed: Int, count: Int)
        async throws
    {
        var generator = SeededGenerator(seed: UInt64(seed))
        let objects = try objects(count)
        var sides: [[ObjectID: ObjectID]] = [[:], [:]]
        for object in objects {
            // Half of them on one side only: often one side is split into folders and the other is not.
            let place = Int.random(in: 0...5, using: &generator)
            if place != 0 { sides[0][object] = try note(&generator) }
            if place == 0 || place > 3 { sides[1][object] = try note(&generator) }
        }
        let heads = [try commit(sides[0]), try commit(sides[1])]
        try repository.update("refs/notes/ml/runs", from: nil, to: heads[0], reason: "test")
        try Notes("refs/notes/ml/runs", in: repository).merge(heads[1])
        let ours = try await sandbox.sh("git rev-parse 'refs/notes/ml/runs^{tree}'", in: "work").trimmingTrailingSpace
        let theirs = try await gitMerge(heads[0], heads[1])
        #expect(ours == theirs)
    }

    @Test func `merging two branches of one history that only grew gives git's bytes`() async throws {
        var generator = SeededGenerator(seed: 7)
        let objects = try objects(200)
        let base = Notes("refs/notes/ml/runs", in: repository)
        try base.add(Dictionary(uniqueKeysWithValues: objects.prefix(100).map { ($0, ["base"]) }), message: "x")
        let start = try #require(try repository.ref(base.ref))
        var heads: [ObjectID] = []
        for side in ["a", "b"] {
            let notes = Notes("refs/notes/\(side)", in: repository)
            try repository.update(notes.ref, from: nil, to: start, reason: "test")
            let chosen = objects.filter { _ in Bool.random(using: &generator) }
            try notes.add(
                Dictionary(uniqueKeysWithValues: chosen.map { ($0, ["\(side) \($0.short)", "both"]) }), message: side)
            heads.append(try #require(try repository.ref(notes.ref)))
        }
        try Notes("refs/notes/a", in: repository).merge(heads[1])
        let ours = try await sandbox.sh("git rev-parse 'refs/notes/a^{tree}'", in: "work").trimmingTrailingSpace
        let theirs = try await gitMerge(heads[0], heads[1])
        #expect(ours == theirs)
    }

    @Test(arguments: [(0, 5), (5, 5), (20, 25), (30, 400), (400, 401), (900, 1000)])
    func `the changes between two states are exactly the notes that differ`(before: Int, after: Int) throws {
        var generator = SeededGenerator(seed: UInt64(before * 1000 + after))
        let objects = try objects(after)
        var old: [ObjectID: ObjectID] = [:]
        for object in objects.prefix(before) { old[object] = try note(&generator) }
        var new = old
        for object in objects.dropFirst(before) { new[object] = try note(&generator) }
        for object in objects.prefix(before) where Int.random(in: 0..<10, using: &generator) == 0 {
            new[object] = try repository.write(.blob, Array("changed \(object)\n".utf8))
        }
        if let gone = objects.first, before > 1 { new[gone] = nil }
        let heads = [try before == 0 ? nil : commit(old), try commit(new)]
        var found: [ObjectID: [ObjectID?]] = [:]
        let notes = Notes("refs/notes/x", in: repository)
        try notes.changes(from: heads[0], to: #require(heads[1])) {
            #expect(found[$0] == nil)
            found[$0] = [$1, $2]
        }
        var expected: [ObjectID: [ObjectID?]] = [:]
        for object in objects where old[object] != new[object] { expected[object] = [old[object], new[object]] }
        #expect(found == expected)
    }

    @Test func `files that are no notes stay where somebody put them`() throws {
        let blob = try repository.write(.blob, Array("x\n".utf8))
        let folder = try repository.write(Tree([TreeEntry("readme", .file, blob)]))
        let foreign = try repository.write(Tree([TreeEntry("docs", .directory, folder), TreeEntry("zz", .link, blob)]))
        let start = try repository.writeCommit(
            tree: foreign, parents: [], by: repository.user(at: Timestamp(seconds: 1)), message: "x\n")
        try repository.update("refs/notes/ml/runs", from: nil, to: start, reason: "test")
        let notes = Notes("refs/notes/ml/runs", in: repository)
        let objects = try objects(300)
        try notes.add(Dictionary(uniqueKeysWithValues: objects.map { ($0, ["line"]) }), message: "x")
        let head = try #require(try repository.ref(notes.ref))
        #expect(try repository.entry("docs/readme", in: head)?.id == blob)
        #expect(try repository.entry("zz", in: head)?.mode == .link)
        #expect(try notes.objects() == Set(objects))
    }

    @Test func `a merge of notes of four mebibytes takes a moment`() throws {
        let object = try objects(1)[0]
        let lines = (0..<40_000).map {
            "{\"t\":\"2026-01-01T00:00:00.\($0 + 100_000)Z\",\"run\":\"\(String($0, radix: 16))\"}"
        }
        let (a, b) = (Notes("refs/notes/a", in: repository), Notes("refs/notes/b", in: repository))
        try a.add([object: lines.filter { $0.utf8.count % 2 == 0 }], message: "x")
        try b.add([object: lines], message: "x")
        let clock = ContinuousClock()
        let time = try clock.measure { try a.merge(#require(try repository.ref(b.ref))) }
        #expect(try a.lines(on: object) == lines.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        #expect(time < .seconds(5))  // a debug build, on a loaded machine
    }
}

struct InterruptedMergeTests {
    @Test func `a merge that was killed before the ref moved comes out the same when it is done again`() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        let repository = try Repository(sandbox.path.appending("work"))
        let head = try repository.resolve("HEAD")
        let (a, b) = (Notes("refs/notes/a", in: repository), Notes("refs/notes/b", in: repository))
        try a.add([head: ["a"]], message: "x")
        try b.add([head: ["b"]], message: "y")
        let (old, other) = (try #require(try repository.ref(a.ref)), try #require(try repository.ref(b.ref)))
        try a.merge(other)
        let merged = try #require(try repository.ref(a.ref))
        // As after a kill: the merge commit is there, the ref is where it was.
        try repository.update(a.ref, from: merged, to: old, reason: "test")
        try a.merge(other)
        #expect(try repository.ref(a.ref) == merged)
    }
}
