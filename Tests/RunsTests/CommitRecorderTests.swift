import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct CommitRecorderTests {
    private let sandbox: Sandbox
    private let repository: Repository
    private var recorder: CommitRecorder {
        CommitRecorder(repository, settings: RecordSettings(), modelPaths: ["models/m.bin"])
    }

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
    }

    private func commit(_ files: [String: String]) async throws -> ObjectID {
        for (name, text) in files { try sandbox.directory.write("work/" + name, text) }
        try await sandbox.sh("git add . && git commit -qm x", in: "work")
        return try repository.resolve("HEAD")
    }

    @Test func `a commit that changes metrics is a run, once`() async throws {
        let id = try await commit(["params.yaml": "lr: 0.1\n", "metrics.json": #"{"auc":0.9}"#])
        let outcome = try recorder.record(id)
        #expect(outcome.run != nil)
        #expect(try recorder.record(id).run == nil)
        let run = try RunLog(repository).runs(on: id).first
        #expect(run?.params == ["lr": "0.1"])
        #expect(run?.values == ["auc": 0.9])
        #expect(run?.user == "ann")
    }

    @Test func `a commit that changes nothing of an experiment is no run`() async throws {
        _ = try await commit(["metrics.json": #"{"auc":0.9}"#])
        let id = try await commit(["README": "hello"])
        #expect(try recorder.record(id).run == nil)
    }

    @Test func `a metrics file that cannot be read is a warning and the rest is recorded`() async throws {
        let id = try await commit(["params.yaml": "lr: 0.1\n", "metrics.json": "{"])
        let outcome = try recorder.record(id)
        #expect(outcome.run != nil)
        #expect(outcome.warnings.count == 1)
        #expect(outcome.warnings.first?.hasPrefix("metrics.json") == true)
        #expect(try RunLog(repository).runs(on: id).first?.params == ["lr": "0.1"])
    }
}
