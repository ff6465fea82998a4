import Base
import GitKit
import Pointers
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct RunStoreTests {
    private let sandbox: Sandbox
    private let repository: Repository
    private let content: LocalObjects

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
        content = LocalObjects(mlDirectory: repository.mlDirectory)
    }

    @discardableResult
    private func commit(_ line: String = "git commit -q --allow-empty -m x") async throws -> ObjectID {
        try await sandbox.sh(line, in: "work")
        return try repository.resolve("HEAD")
    }

    /// Records a run; the later it is recorded the later it started.
    @discardableResult
    private func record(
        _ name: String?, on commit: ObjectID, source: RunRecord.Source = .cli, auc: Double = 0.5, dirty: Bool = false,
        outputs: [RunItem] = [], links: [ObjectID] = []
    ) throws -> String {
        var record = RunRecord(code: commit, source: source)
        record.name = name
        record.dirty = dirty
        record.series["auc"] = [MetricPoint(step: 0, time: record.started, value: auc)]
        record.outputs = outputs
        record.end = RunRecord.End(.finished)
        let notes = RunLog(repository).notes
        try notes.add([commit: record.lines(store: content)], message: "x")
        for link in links {
            var events = RunEvents(run: record.run, at: record.started.advanced(bySeconds: 1))
            events.link(link, isExact: true)
            try notes.add([link: events.lines], message: "x")
        }
        return record.run.description
    }

    private func names(_ query: RunQuery) throws -> [String?] { try RunStore(repository).runs(query).map(\.name) }

    @Test func `a history has the runs of its commits, of what is linked to them, and of changes on top of them`()
        async throws
    {
        let first = try await commit()
        let side = try await commit("git switch -qc side && git commit -q --allow-empty -m side")
        let snapshot = try await commit("git commit -q --allow-empty -m snapshot")
        let second = try await commit("git switch -q main && git commit -q --allow-empty -m second")
        try record("on first", on: first)
        try record("on side", on: side)
        try record("snapshot of side", on: snapshot, dirty: true)
        let loose = try await commit("git switch -q --detach \(first) && git commit -q --allow-empty -m snapshot")
        try record("changes on first", on: loose, dirty: true)
        try record("clean elsewhere", on: loose)
        try record("linked", on: side, links: [second])
        var query = RunQuery()
        query.scope = .history(second)
        #expect(try names(query) == ["linked", "changes on first", "on first"])
        query.scope = .history(side)
        #expect(try names(query) == ["linked", "changes on first", "snapshot of side", "on side", "on first"])
        #expect(try names(RunQuery()).count == 6)
        let along = try RunStore(repository).history(from: second).map(\.name)
        #expect(along == ["linked", "changes on first", "on first"])
    }

    @Test func `a run is named by id, prefix, name, commit, branch and as the best`() async throws {
        let first = try await commit()
        let second = try await commit()
        let a = try record("a", on: first, auc: 0.9)
        let b = try record("b", on: second, auc: .nan)
        let c = try record(nil, on: second, auc: 0.1)
        let store = try RunStore(repository)
        #expect(try store.run(named: a).name == "a")
        #expect(try store.run(named: "b").id == b)
        #expect(try store.run(named: first.hex).id == a)
        #expect(try store.run(named: "HEAD~1").id == a)
        #expect(try store.run(named: "best:metrics.auc").id == a)
        #expect(try store.run(named: "best:-metrics.auc").id == c)
        let unique = (4...32).first { length in
            [b, c].allSatisfy { !$0.hasPrefix(a.prefix(length)) }
        }
        #expect(try store.run(named: String(a.prefix(unique ?? 32))).id == a)
        let several = #expect(throws: AmbiguousRun.self) { try store.run(named: "main") }
        #expect(several?.candidates.map(\.id) == [b, c])
        #expect(throws: AmbiguousRun.self) { try store.run(named: String(a.prefix(4))) }
        for name in ["nobody", "0000", "best:metrics.none"] {
            let none = #expect(throws: UnknownRun.self) { try store.run(named: name) }
            #expect(none?.kind == .notFound)
        }
        #expect(throws: FilterFailure.self) { try store.run(named: "best:metrix.auc") }
    }

    @Test func `lines added to a run stand on its note and are seen at once`() async throws {
        let id = try record("a", on: try await commit())
        let store = try RunStore(repository)
        let run = try store.run(named: id)
        try store.change(run) { $0.tags(["owner": "bob", Run.nameTag: "better"]) }
        #expect(try store.run(id: id)?.tags == ["owner": "bob"])
        #expect(try store.run(named: "better").id == id)
        try store.change(run) { $0.delete() }
        #expect(try store.runs().isEmpty)
        #expect(try store.run(id: id)?.isDeleted == true)
        #expect(try store.log.notes.objects() == [run.commit])
    }

    @Test func `curves of several events are one curve a key`() async throws {
        let commit = try await commit()
        let id = UUIDv7()
        let points = (0..<3000).map { MetricPoint(step: $0, time: Timestamp(microseconds: $0), value: Double($0)) }
        var events = RunEvents(run: id)
        try events.curves(["auc": Array(points[2000...]), "loss": [points[1], points[0]]], store: content)
        try events.curves(["auc": Array(points[..<5])], store: content)
        try events.curves(["auc": Array(points[5..<2000])], store: content)
        try RunLog(repository).notes.add([commit: events.lines], message: "x")
        let store = try RunStore(repository)
        let run = try #require(try store.run(id: id.description))
        #expect(run.series.count == 3)
        let series = try await store.series(of: run)
        #expect(series == ["auc": points, "loss": Array(points[..<2])])
        try Files.removeTree(content.store.root)
        await #expect(throws: MissingSeries.self) { try await store.series(of: run) }
    }

    @Test func `the run behind a model is the one that made it, else the commit's own; several that differ are listed`()
        async throws
    {
        try sandbox.directory.write("work/m.bin", "a model")
        let first = try await commit("git add . && git commit -qm model")
        let made = [RunItem(path: "m.bin", digest: .of("a model"), size: 7, role: .model)]
        let other = [RunItem(path: "m.bin", digest: .of("another"), size: 7, role: .model)]
        let own = try record("own", on: first, source: .commit)
        #expect(try RunStore(repository).run(behind: first, path: "m.bin")?.id == own)
        let maker = try record("maker", on: try repository.resolve("HEAD~1"), auc: 0.9, outputs: made, links: [first])
        try record("other", on: try repository.resolve("HEAD~1"), auc: 0.8, outputs: other, links: [first])
        let store = try RunStore(repository)
        #expect(try store.run(behind: first, path: "m.bin")?.id == maker)
        #expect(try store.run(behind: first)?.id == maker)
        #expect(try store.run(behind: repository.resolve("HEAD~1")) == nil)
        try record("rival", on: first, auc: 0.7, outputs: made)
        let rivals = #expect(throws: DisagreeingRuns.self) {
            try RunStore(repository).run(behind: first, path: "m.bin")
        }
        #expect(rivals?.runs.map(\.name) == ["maker", "rival"])
    }

    @Test func `a commit that leaves the model as it was has the run of the one before it, over merges too`()
        async throws
    {
        try sandbox.directory.write("work/m.bin", "a model")
        let first = try await commit("git add . && git commit -qm model")
        let own = try record("own", on: first, source: .commit)
        try await commit(
            "git commit -q --allow-empty -m words && git switch -qc side && git commit -q --allow-empty -m side")
        let merge = try await commit(
            "git switch -q main && git commit -q --allow-empty -m main && git merge -q --no-ff side -m merge")
        let store = try RunStore(repository)
        #expect(try store.run(behind: merge, path: "m.bin")?.id == own)
        #expect(try store.run(behind: merge) == nil)
        let changed = try await commit("echo another > m.bin && git commit -qam change")
        #expect(try store.run(behind: changed, path: "m.bin") == nil)
        let removed = try await commit("git rm -q m.bin && git commit -qm remove")
        #expect(try store.run(behind: removed, path: "m.bin") == nil)
    }

    @Test func `a run that repeats another is not the one behind a model`() async throws {
        try sandbox.directory.write("work/m.bin", "a model")
        let first = try await commit("git add . && git commit -qm model")
        let made = [RunItem(path: "m.bin", digest: .of("a model"), size: 7, role: .model)]
        let original = try record("original", on: first, auc: 0.9, outputs: made)
        let copy = try record("copy", on: first, auc: 0.9000001, outputs: made)
        let store = try RunStore(repository)
        let run = try #require(try store.run(id: copy))
        try store.change(run) { $0.tags([Reproduction.reproducesTag: original]) }
        #expect(try RunStore(repository).run(behind: first, path: "m.bin")?.id == original)
    }
}
