import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct IndexTests {
    private let sandbox: Sandbox
    private let repository: Repository
    private var file: FilePath { repository.mlDirectory.appending("index.sqlite") }
    private var notes: Notes { Notes(RunLog.ref, in: repository) }

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
    }

    /// Objects for notes to stand on; that they are no commits matters to nobody here.
    private static let objects = (0..<40).compactMap { ObjectID(Digest.of("object \($0)").hex.prefix(40)) }

    /// What the index must show: the fold of all lines, wherever they stand.
    private func expected() throws -> [String: String] {
        var lines: [String] = []
        for (_, more) in try notes.all() { lines += more }
        let runs = Run.fold(lines, on: .emptyTree).map { ($0.id, Self.everything($0)) }
        return Dictionary(runs) { $1 }
    }

    private func indexed() throws -> [String: String] {
        var query = RunQuery()
        let store = try RunStore(repository)
        var runs = try store.runs(query)
        query.deleted = true
        runs += try store.runs(query)
        return Dictionary(runs.map { ($0.id, Self.everything($0)) }) { $1 }
    }

    private static func everything(_ run: Run) -> String {
        func sorted(_ values: [String: some Any]) -> String {
            values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        }
        var json = run.json
        if run.command.isEmpty, case .object(let members) = json {
            json = .object(members.filter { $0.key != "commit" })  // without a start line: one of the notes' objects
        }
        return """
            \(json) \(run.host ?? "-") \(run.command) \(run.exit ?? -1) \(run.peakMemory ?? -1) \(run.leftOut)
            \(run.parent ?? "-") \(run.environment) \(sorted(run.metrics)) \(run.series.count) \(run.links) \(run.isDeleted)
            """
    }

    @Test(arguments: 1...6) func `the index shows the fold of all lines, after any change of the notes`(seed: UInt64)
        throws
    {
        var random = RandomRuns(seed: seed)
        for step in 0..<12 {
            switch Int.random(in: 0..<8, using: &random.generator) {
            case 0 where step > 3:  // what a purge does: a run is gone from all notes
                try rewrite { object, lines in lines.filter { !$0.contains(random.someID) } }
            case 1 where step > 3:  // an amended commit takes copies along
                let from = Self.objects.randomElement(using: &random.generator) ?? .emptyTree
                let to = Self.objects.randomElement(using: &random.generator) ?? .emptyTree
                try notes.add([to: notes.lines(on: from)], message: "copy")
            case 2: Files.remove(file)
            default: try notes.add(random.lines(on: Self.objects), message: "more")
            }
            let (seen, wanted) = (try indexed(), try expected())
            let ids = Set(seen.keys).union(wanted.keys).filter { seen[$0] != wanted[$0] }
            #expect(ids.isEmpty, "seed \(seed), step \(step)")
            for id in ids.prefix(1) { #expect(seen[id] == wanted[id]) }
        }
    }

    @Test(arguments: [
        "corrupt", "empty", "truncated", "older", "newer", "directory of a killed build", "log of another file",
    ])
    func `a file that is of no use is made anew`(damage: String) throws {
        var random = RandomRuns(seed: 7)
        for _ in 0..<5 { try notes.add(random.lines(on: Self.objects), message: "more") }
        let wanted = try indexed()
        let bytes = try #require(try Files.read(file))
        switch damage {
        case "corrupt": try Files.replace(file, with: bytes.map { $0 ^ 0x5a })
        case "empty": try Files.replace(file, with: [])
        case "truncated": try Files.replace(file, with: bytes.prefix(bytes.count / 2))
        case "older", "newer":
            // The version is a big-endian number at byte 60 of an SQLite file.
            var other = bytes
            other[63] = damage == "older" ? 0 : 99
            try Files.replace(file, with: other)
        case "log of another file":
            try Files.replace(FilePath(file.string + "-wal"), with: bytes)
            Files.remove(file)
        default:
            try Files.replace(FilePath(file.string + ".new"), with: bytes.prefix(5000))
            Files.remove(file)
        }
        #expect(try indexed() == wanted)
        try notes.add(random.lines(on: Self.objects), message: "more")
        #expect(Set(try indexed().keys) == Set(try expected().keys))
    }

    @Test func `a ref that went back, or away, takes its runs along`() throws {
        var random = RandomRuns(seed: 8)
        try notes.add(random.lines(on: Self.objects), message: "first")
        let before = try indexed()
        let old = try #require(try repository.ref(RunLog.ref))
        for _ in 0..<4 { try notes.add(random.lines(on: Self.objects), message: "more") }
        #expect(try indexed() != before)
        let now = try #require(try repository.ref(RunLog.ref))
        try repository.update(RunLog.ref, from: now, to: old, reason: "back")
        #expect(try indexed() == before)
    }

    @Test func `eight that read and write at once see what is there`() async throws {
        var random = RandomRuns(seed: 9)
        try notes.add(random.lines(on: Self.objects), message: "first")
        let batches = (0..<8).map { _ in random.lines(on: Self.objects) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for batch in batches {
                group.addTask {
                    let repository = try Repository(sandbox.path.appending("work"))
                    try Notes(RunLog.ref, in: repository).add(batch, message: "more")
                    let store = try RunStore(repository)
                    let ids = Set(batch.values.joined().compactMap { try? JSON.parse($0)["run"]?.string })
                    for id in ids { #expect(try store.run(id: id) != nil) }
                }
            }
            try await group.waitForAll()
        }
        #expect(Set(try indexed().keys) == Set(try expected().keys))
    }

    @Test func `what comes after an end within a microsecond, or stands twice, counts once`() throws {
        let commit = try repository.resolve("HEAD")
        var events = RunEvents(at: Timestamp(seconds: 1_700_000_000))
        events.add("start", [JSON.Member("code", .string(commit.hex))])
        events.tags(["a": "1"])
        let other = Self.objects[0]
        try notes.add([commit: events.lines, other: Array(events.lines.suffix(1))], message: "x")
        _ = try indexed()
        events.tags(["a": "2"])
        // The same moment on another note: neither is later, so both are folded again, by their bytes.
        let twin = events.lines[2].replacing(#""a":"2""#, with: #""a":"3""#)
        try notes.add([commit: [events.lines[2]]], message: "x")
        _ = try indexed()
        try notes.add([other: [twin]], message: "x")
        #expect(try RunStore(repository).run(id: events.run.description)?.tags == ["a": "3"])
    }

    @Test func `a line of a clock that is years ahead counts when it came, in the index and without it`() throws {
        let commit = try repository.resolve("HEAD")
        var events = RunEvents(at: Timestamp.now().advanced(bySeconds: -60))
        events.add("start", [JSON.Member("code", .string(commit.hex))])
        try notes.add([commit: events.lines], message: "x")
        var ahead = RunEvents(run: events.run, at: Timestamp.now().advanced(bySeconds: 10 * 365 * 86_400))
        ahead.tags(["a": "of the wrong clock", "b": "1"])
        try notes.add([commit: ahead.lines], message: "x")
        _ = try indexed()
        var later = RunEvents(run: events.run, at: Timestamp.now().advanced(bySeconds: 5))
        later.tags(["a": "right"])
        try notes.add([commit: later.lines], message: "x")
        let wanted = ["a": "right", "b": "1"]
        #expect(try RunStore(repository).run(id: events.run.description)?.tags == wanted)
        Files.remove(file)
        #expect(try RunStore(repository).run(id: events.run.description)?.tags == wanted)
        #expect(try RunLog(repository).runs(on: commit).map(\.tags) == [wanted])
    }

    @Test func `a purged run that a plain merge brings back does not show`() throws {
        let commit = try repository.resolve("HEAD")
        var record = RunRecord(code: commit, source: .cli)
        record.name = "gone"
        let lines = try record.lines(store: NoContent())
        record = RunRecord(code: commit, source: .cli)
        record.name = "stays"
        try notes.add([commit: lines + record.lines(store: NoContent())], message: "x")
        #expect(Set(try RunStore(repository).runs().map(\.name)) == ["gone", "stays"])
        let purge = Purge(repository)
        let id = try #require(lines.first.flatMap { try? JSON.parse($0)["run"]?.string })
        try purge.run(purge.plan([id]), by: "ann")
        try notes.add([commit: lines], message: "what git notes merge does")
        #expect(try RunStore(repository).runs().map(\.name) == ["stays"])
        #expect(try RunLog(repository).runs(on: commit).map(\.name) == ["stays"])
        Files.remove(file)
        #expect(try RunStore(repository).runs().map(\.name) == ["stays"])
    }

    @Test func `a run on a commit that is not here yet is shown all the same`() throws {
        let elsewhere = Self.objects[3]
        var record = RunRecord(code: elsewhere, source: .cli)
        record.name = "early"
        record.dirty = true
        try notes.add([elsewhere: record.lines(store: NoContent())], message: "x")
        let store = try RunStore(repository)
        #expect(try store.runs().map(\.name) == ["early"])
        var query = RunQuery()
        query.scope = .history(try repository.resolve("HEAD"))
        #expect(try store.runs(query).isEmpty)
    }

    private struct NoContent: KeptContent {
        func keep(_ bytes: [UInt8]) -> Digest { .of(bytes) }
        func keep(file: FilePath) throws -> (digest: Digest, size: Int64) { try Digest.of(file: file) }
    }

    /// Writes the ref anew, as a purge does.
    private func rewrite(_ change: (ObjectID, [String]) throws -> [String]) throws {
        let all = try notes.all()
        let old = try repository.ref(RunLog.ref)
        guard let old else { return }
        try repository.update(RunLog.ref, from: old, to: try emptyNotes(), reason: "test")
        var lines: [ObjectID: [String]] = [:]
        for (object, text) in all { lines[object] = try change(object, text) }
        try notes.add(lines.filter { !$0.value.isEmpty }, message: "rewritten")
    }

    private func emptyNotes() throws -> ObjectID {
        try repository.writeCommit(
            tree: repository.write(Tree()), parents: [], by: repository.user(), message: "empty\n")
    }
}

/// Seeded event lines of some runs: starts, values, links on other commits, ends, in no good order.
struct RandomRuns {
    var generator: SeededGenerator
    private var ids: [UUIDv7] = []
    private var clock: Int64 = 1_700_000_000_000_000
    var someID: String { ids.first?.description ?? "none" }

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    private mutating func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &generator)] }

    /// Lines for some of the objects.
    mutating func lines(on objects: [ObjectID]) -> [ObjectID: [String]] {
        var all: [ObjectID: [String]] = [:]
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            if ids.isEmpty || Bool.random(using: &generator) {
                ids.append(UUIDv7(at: Timestamp(microseconds: clock)))
                all[pick(objects), default: []] += run(pick(objects), ids[ids.count - 1])
            }
            // Something about a run that may have been told of long ago, on any commit, at times with an old time.
            clock += 1_000_000
            let late = Bool.random(using: &generator) ? clock : 1_600_000_000_000_000 + clock % 1_000_000_000
            var events = RunEvents(run: pick(ids), at: Timestamp(microseconds: late))
            switch Int.random(in: 0..<5, using: &generator) {
            case 0, 1: events.link(pick(objects), isExact: true)
            case 2: events.tags(["owner": pick(["ann", "bob"])], unset: ["x"])
            case 3: events.metrics(["auc": MetricSummary(last: Double(clock % 97) / 97, min: 0, max: 1)])
            default: if Bool.random(using: &generator) { events.delete() } else { events.restore() }
            }
            all[pick(objects), default: []] += events.lines
        }
        return all
    }

    private mutating func run(_ code: ObjectID, _ id: UUIDv7) -> [String] {
        clock += 1_000_000
        var record = RunRecord(
            run: id, started: Timestamp(microseconds: clock), code: code, source: pick([.cli, .commit]))
        record.name = Bool.random(using: &generator) ? "run \(pick(["a", "b", "é", "it's"]))" : nil
        record.user = pick(["ann", "bob", nil])
        record.command = ["python", "train.py"]
        record.params = ["lr": pick(["0.1", "0.01", "high", ""]), "depth": pick(["4", "10", "1e1"])]
        record.tags = ["x": "1"]
        record.series = ["auc": [point(pick([0.5, 0.9, .nan]))], "loss": [point(pick([1, -.infinity])), point(2)]]
        record.inputs = [RunItem(path: "a.csv", digest: .of(id.description), size: 3, role: .data)]
        record.end = Bool.random(using: &generator) ? RunRecord.End(.finished, seconds: 2.5, exit: 0) : nil
        return (try? record.lines(store: NoContent())) ?? []
    }

    private func point(_ value: Double) -> MetricPoint {
        MetricPoint(step: 0, time: Timestamp(microseconds: clock), value: value)
    }

    private struct NoContent: KeptContent {
        func keep(_ bytes: [UInt8]) -> Digest { .of(bytes) }
        func keep(file: FilePath) throws -> (digest: Digest, size: Int64) { try Digest.of(file: file) }
    }
}
