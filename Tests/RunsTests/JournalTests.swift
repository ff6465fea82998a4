import Base
import GitKit
import Pointers
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct JournalTests {
    private let directory: TemporaryDirectory
    private let journal: Journal
    private let dead = ProcessIdentity(id: 1 << 21, began: "never")
    private let alive = ProcessIdentity(getpid())

    init() throws {
        directory = try TemporaryDirectory()
        journal = Journal(at: directory.path.appending("ml").appending("journal"))
    }

    private func begin(_ owner: ProcessIdentity) throws -> String {
        var record = RunRecord(code: .emptyTree, source: .cli)
        record.params = ["lr": "0.1"]
        try journal.begin(record, owner: owner)
        return record.run.description
    }

    private func fold() throws -> [Run] { try journal.fold { $0.runs } }

    private func script(_ run: String, _ text: String) throws {
        try Files.append(Array(text.utf8), to: journal.folder(of: run).appending("metrics.jsonl"))
    }

    @Test func `a run whose process died is killed and loses nothing that was written`() throws {
        let run = try begin(dead)
        try script(run, #"{"step":1,"loss":0.5}"# + "\n" + #"{"step":2,"loss":0.4}"# + "\n" + #"{"step":3,"lo"#)
        let runs = try fold()
        #expect(runs.map(\.id) == [run])
        #expect(runs.first?.status == "killed")
        #expect(runs.first?.params == ["lr": "0.1"])
        #expect(runs.first?.metrics["loss"]?.last == 0.4)
        #expect(runs.first?.metrics["loss"]?.count == 2)
        #expect(try fold().isEmpty)
        #expect(try Files.list(journal.root) == ["lock"])
    }

    @Test func `a run that goes on stays in the journal and is shown with what it has so far`() throws {
        let run = try begin(alive)
        try script(run, #"{"loss":0.5}"# + "\n")
        try journal.append(to: run) { $0.tags(["owner": "ann"]) }
        #expect(try fold().isEmpty)
        let running = try journal.running()
        #expect(running.map(\.status) == ["running"])
        #expect(running.first?.values == ["loss": 0.5])
        #expect(running.first?.tags == ["owner": "ann"])
    }

    @Test func `when publishing fails the runs stay, and the next fold gives the same lines`() throws {
        struct Stop: Error {}
        let run = try begin(dead)
        try script(run, #"{"loss":0.5}"# + "\n")
        var first: [String] = []
        #expect(throws: Stop.self) {
            try journal.fold { batch in
                first = batch.lines.values.joined().sorted()
                throw Stop()
            }
        }
        let second = try journal.fold { $0.lines.values.joined().sorted() }
        #expect(first == second)
        #expect(first.count > 2)
        _ = run
    }

    @Test func `what a crash cut off in the middle of a line is left out`() throws {
        let run = try begin(dead)
        try Files.append(Array(#"{"t":"2026-01-01T00:00"#.utf8), to: journal.file(of: run))
        let runs = try fold()
        #expect(runs.map(\.status) == ["killed"])
    }

    @Test func `a folder whose run never began goes`() throws {
        try Files.makeDirectory(journal.folder(of: UUIDv7().description))
        #expect(try fold().isEmpty)
        #expect(try Files.list(journal.root) == ["lock"])
    }

    @Test func `an ended run takes nothing more`() throws {
        let run = try begin(alive)
        try journal.seal(run, Journal.Closing(end: RunRecord.End(.finished, seconds: 1, exit: 0)))
        #expect(throws: JournalFailure.self) { try journal.append(to: run) { $0.tags(["a": "b"]) } }
        #expect(try fold().map(\.status) == ["finished"])
    }

    @Test func `long curves are content that is marked for the next push, short ones stand in the line`() throws {
        let long = try begin(dead)
        try script(long, (0..<2000).map { "{\"step\":\($0),\"loss\":\(1 / Double($0 + 1))}\n" }.joined())
        let short = try begin(dead)
        try script(short, "{\"loss\":1}\n{\"loss\":2}\n")
        let runs = Dictionary(uniqueKeysWithValues: try fold().map { ($0.id, $0) })
        guard case .content(let digest, let size)? = runs[long]?.series.first else {
            Issue.record("no content")
            return
        }
        let objects = LocalObjects(mlDirectory: directory.path.appending("ml"))
        let bytes = try Files.read(objects.store.path(of: digest)) ?? []
        #expect(Int64(bytes.count) == size)
        #expect(try SeriesFile.decode(bytes)["loss"]?.count == 2000)
        #expect(try Files.list(objects.pending) == [digest.hex])
        guard case .inline(let curves)? = runs[short]?.series.first else {
            Issue.record("not inline")
            return
        }
        #expect(curves["loss"]?.map(\.value) == [1, 2])
        #expect(curves["loss"]?.map(\.step) == [0, 1])
    }

    @Test func `twenty writers at once lose no event`() async throws {
        let run = try begin(alive)
        let journal = journal
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<20 {
                group.addTask {
                    for i in 0..<10 { try journal.append(to: run) { $0.tags(["w\(writer).\(i)": "x"]) } }
                }
            }
            try await group.waitForAll()
        }
        #expect(try journal.running().first?.tags.count == 200)
    }
}

struct MetricLinesTests {
    private func read(_ text: String) -> MetricLines {
        var lines = MetricLines()
        lines.add(Array(text.utf8)) { Timestamp(microseconds: Int64($0)) }
        return lines
    }

    @Test func `numbers are metrics, nested keys become dotted, other values are passed over`() {
        let lines = read(#"{"step":3,"loss":0.5,"val":{"auc":0.9,"ok":true},"note":"x","bad":null,"n":"NaN"}"# + "\n")
        #expect(lines.series.keys.sorted() == ["loss", "n", "val.auc", "val.ok"])
        #expect(lines.series["val.ok"]?.first?.value == 1)
        #expect(lines.series["n"]?.first?.value.isNaN == true)
        #expect(lines.series["loss"]?.first?.step == 3)
    }

    @Test func `a line without a step follows the last of its metric`() {
        let lines = read("{\"a\":1}\n{\"a\":2}\n{\"step\":7,\"a\":3}\n{\"a\":4,\"b\":1}\n")
        #expect(lines.series["a"]?.map(\.step) == [0, 1, 7, 8])
        #expect(lines.series["b"]?.map(\.step) == [0])
    }

    @Test func `times are read in seconds, milliseconds and RFC 3339, else told by the place in the file`() {
        let lines = read(
            "{\"a\":1,\"time\":1700000000.5}\n{\"a\":1,\"timestamp\":1700000000500}\n"
                + "{\"a\":1,\"time\":\"2023-11-14T22:13:20.5Z\"}\n{\"a\":1}\n")
        let times = lines.series["a"]?.map(\.time.microseconds) ?? []
        #expect(Array(times.prefix(3)) == Array(repeating: 1_700_000_000_500_000, count: 3))
        #expect(times.last.map { $0 < 200 } == true)
    }

    @Test func `broken lines are counted and the rest is read`() {
        let lines = read("garbage\n\n{\"a\":1}\n[1]\n{\"a\":2}\n")
        #expect(lines.broken == 2)
        #expect(lines.series["a"]?.count == 2)
    }

    @Test func `the clock tells when a part of a file was there`() {
        let clock = GrowthClock("10 100\n20 200\nx\n30 300\n", fallback: Timestamp(microseconds: 999))
        #expect(clock.time(of: 5).microseconds == 100)
        #expect(clock.time(of: 10).microseconds == 200)
        #expect(clock.time(of: 29).microseconds == 300)
        #expect(clock.time(of: 30).microseconds == 999)
    }
}
