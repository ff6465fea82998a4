import Base
import GitKit
import Pointers
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct FoundRunsTests {
    private let sandbox: Sandbox
    private let repository: Repository
    private let head: ObjectID
    private var directory: TemporaryDirectory { sandbox.directory }
    private var cache: FilePath { repository.mlDirectory.appending("cache").appending("found.json") }

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
        head = try repository.resolve("HEAD")
    }

    private func found(limits: FoundRuns.Limits = .none) throws -> FoundRuns.Outcome {
        try FoundRuns(repository, settings: RecordSettings()).records(code: repository.resolve("HEAD"), limits: limits)
    }

    /// Takes in what is found, as a hook does, and says how many runs that were.
    @discardableResult
    private func takeIn() throws -> Int {
        let outcome = try found()
        var lines: [ObjectID: [String]] = [:]
        for record in outcome.records {
            lines[record.code, default: []] += try record.lines(
                store: LocalObjects(mlDirectory: repository.mlDirectory))
        }
        if !lines.isEmpty { try RunLog(repository).notes.add(lines, message: "runs: found") }
        try outcome.remember()
        return outcome.records.count
    }

    private func write(_ file: EventFile, _ path: String = "runs/a/events.out.tfevents.1") throws {
        try Files.replace(sandbox.path.appending(FilePath("work/" + path).components), with: file.bytes)
    }

    @Test func `nothing there is nothing found, and nothing is written`() throws {
        #expect(try found().records.isEmpty)
        #expect(!Files.exists(cache))
    }

    @Test func `each run is taken in once, with the cache and without it`() throws {
        try MLflowRun().write(directory, below: "work/mlruns/7")
        var file = EventFile()
        file.scalar("loss", 0.5, step: 0)
        try write(file)
        try write(file, "plots/tb/events.out.tfevents.1")
        try write(file, "logs/1/2/3/4/events.out.tfevents.1")
        try write(file, "logs/1/2/3/4/5/events.out.tfevents.1")  // deeper than is looked
        #expect(try takeIn() == 4)
        let before = try repository.ref(RunLog.ref)
        #expect(try takeIn() == 0)
        Files.remove(cache)
        #expect(try takeIn() == 0)
        #expect(try repository.ref(RunLog.ref) == before)
        #expect(try takeIn() == 0)
        #expect(try RunStore(repository).runs().count == 4)
    }

    @Test func `what was not remembered is found again as the same run`() throws {
        try MLflowRun().write(directory, below: "work/mlruns/7")
        let first = try found().records
        let second = try found().records
        #expect(first.count == 1)
        #expect(try first.map { try $0.lines(store: unkept) } == second.map { try $0.lines(store: unkept) })
    }

    @Test(arguments: [true, false])
    func `a run that has grown is brought up to date where it stands`(isCached: Bool) async throws {
        var file = EventFile()
        for step in 0..<3 { file.scalar("loss", Float(step), step: Int64(step)) }
        try write(file)
        #expect(try takeIn() == 1)
        try await sandbox.sh("git commit -q --allow-empty -m second", in: "work")
        for step in 3..<5 { file.scalar("loss", Float(step), step: Int64(step)) }
        file.scalar("new", 7, step: 4)
        try write(file)
        if !isCached { Files.remove(cache) }
        #expect(try takeIn() == 1)
        #expect(try takeIn() == 0)
        let store = try RunStore(repository)
        let runs = try store.runs()
        #expect(runs.map(\.commit) == [head])
        let run = try #require(runs.first)
        #expect(run.values == ["loss": 4, "new": 7])
        #expect(run.metrics["loss"]?.count == 5)
        #expect(run.seconds == 4)
        #expect(try await store.series(of: run)["loss"]?.map(\.value) == [0, 1, 2, 3, 4])
        // Only what is new was written.
        let lines = try RunLog(repository).notes.lines(on: head).filter { $0.contains(#""ev":"series""#) }
        #expect(lines.map { $0.contains(#""steps":[3,4]"#) } == [false, true])
    }

    @Test func `a running run is taken in when it has ended, and again when a tag is added`() throws {
        var run = MLflowRun()
        run.status = "1"
        try run.write(directory, below: "work/mlruns/7")
        #expect(try takeIn() == 0)
        run.status = "3"
        try run.write(directory, below: "work/mlruns/7")
        #expect(try takeIn() == 1)
        run.tags["later"] = "x"
        try run.write(directory, below: "work/mlruns/7")
        #expect(try takeIn() == 1)
        #expect(try RunStore(repository).run(id: run.id)?.tags["later"] == "x")
    }

    @Test func `a recorded source commit is the run's code, unless its work was committed just now`() async throws {
        for subject in ["second", "third"] {
            try await sandbox.sh("git commit -q --allow-empty -m \(subject)", in: "work")
        }
        var run = MLflowRun()
        run.tags["mlflow.source.git.commit"] = head.hex
        try run.write(directory, below: "work/mlruns/7")
        run.id = "11111111111111111111111111111111"
        run.tags["mlflow.source.git.commit"] = try repository.resolve("HEAD~1").hex
        try run.write(directory, below: "work/mlruns/7")
        run.id = "22222222222222222222222222222222"
        run.tags["mlflow.source.git.commit"] = String(repeating: "ab", count: 20)
        try run.write(directory, below: "work/mlruns/7")
        let codes = try found().records.map(\.code)
        let now = try repository.resolve("HEAD")
        #expect(codes == [head, now, now])
    }

    @Test func `a hook leaves large artifacts for later`() throws {
        var run = MLflowRun()
        run.artifacts = ["big": String(repeating: "x", count: 1000)]
        try run.write(directory, below: "work/mlruns/7")
        let limits = FoundRuns.Limits(time: nil, artifactBytes: 999, mayBuildIndex: false)
        let hurried = try found(limits: limits)
        #expect(hurried.waiting == 1)
        #expect(hurried.records.isEmpty)
        try hurried.remember()
        #expect(try takeIn() == 1)
        #expect(try repository.keptContent(.of(String(repeating: "x", count: 1000)))?.count == 1000)
    }

    @Test func `a broken run is told of once and keeps none of the others out`() throws {
        var run = MLflowRun()
        try run.write(directory, below: "work/mlruns/7")
        run.id = "11111111111111111111111111111111"
        try run.write(directory, below: "work/mlruns/7")
        try directory.write("work/mlruns/7/\(run.id)/meta.yaml", "a: [")
        try Files.replace(
            sandbox.path.appending("work").appending("runs").appending("x.tfevents.1"),
            with: Array("rubbish, and more".utf8))
        let outcome = try found()
        #expect(outcome.records.count == 1)
        #expect(outcome.warnings.count == 2)
        #expect(outcome.warnings.contains { $0.hasPrefix("mlruns/7/\(run.id)/meta.yaml:") })
        #expect(outcome.warnings.contains { $0.hasPrefix("runs/x.tfevents.1: the record at byte 0") })
        try outcome.remember()
        #expect(try found().warnings.isEmpty)
    }

    @Test(arguments: ["", "{", #"{"found":7}"#, #"{"version":1,"found":{"a":{"state":1}}}"#])
    func `a damaged cache is no cache`(text: String) throws {
        try MLflowRun().write(directory, below: "work/mlruns/7")
        try Files.replace(cache, with: text.utf8)
        #expect(try takeIn() == 1)
        #expect(try takeIn() == 0)
    }
}
