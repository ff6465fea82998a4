import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct FormatsMLflowTests {
    private let directory: TemporaryDirectory
    private let run = "mlruns/7/0123456789abcdef0123456789abcdef"

    init() throws { directory = try TemporaryDirectory() }

    private func read() throws -> FoundContent {
        try MLflowFileStore(directory.path.appending("mlruns")).read(code: .someCommit, store: unkept)
    }

    @Test func `a run keeps its id, values, curves and what its tags say`() throws {
        var run = MLflowRun()
        run.params = ["lr": "0.1", "model/depth": "4", "note": "two\nlines", "empty": ""]
        run.metrics["val/acc"] = "1700000000500 nan 3\n1700000000600 inf 4 data 1a2b\n1700000000700 1e-3\n"
        run.metrics["system/cpu_utilization_percentage"] = "1700000000500 12.5 0\n"
        run.tags = [
            "mlflow.runName": "renamed", "mlflow.user": "ann", "mlflow.source.name": "train.py",
            "mlflow.source.git.commit": "abc", "mlflow.parentRunId": "ffffffffffffffffffffffffffffffff",
            "mlflow.note.content": "a note", "owner": "me",
        ]
        run.artifacts = ["plot.png": "png", "model/MLmodel": "flavors:", "model/data/model.pkl": "pickle"]
        try run.write(directory)
        let content = try read()
        #expect(content.warnings.isEmpty)
        let record = try #require(content.records.first)
        #expect(record.run.description == run.id)
        #expect(record.started.description == "2023-11-14T22:13:20.000000Z")
        #expect(record.end == RunRecord.End(.finished, seconds: 2.5))
        #expect(record.experiment == "churn")
        #expect(record.name == "renamed")
        #expect(record.user == "ann")
        #expect(record.command == ["train.py"])
        #expect(record.parent == "ffffffffffffffffffffffffffffffff")
        #expect(record.params == run.params)
        #expect(
            record.tags == [
                "mlflow.source.name": "train.py", "mlflow.source.git.commit": "abc", "mlflow.note.content": "a note",
                "owner": "me",
            ])
        #expect(record.series.keys.sorted() == ["loss", "val/acc"])
        #expect(record.series["loss"]?.map(\.value) == [0.5, 0.25])
        #expect(record.series["val/acc"]?.map(\.step) == [3, 4, 0])
        #expect(record.series["val/acc"]?.map { "\($0.value)" } == ["nan", "inf", "0.001"])
        #expect(record.systemSeries.keys.sorted() == ["system/cpu_utilization_percentage"])
        #expect(record.outputs.map(\.path) == ["model/MLmodel", "model/data/model.pkl", "plot.png"])
        #expect(record.outputs.map(\.role) == [.model, .model, .artifact])
        #expect(record.outputs.last?.digest == .of("png"))
    }

    @Test(arguments: [
        ("3", "finished"), ("4", "failed"), ("5", "killed"), ("FINISHED", "finished"), ("1", nil), ("2", nil),
        ("RUNNING", nil),
    ])
    func `a run is taken in once it has ended`(status: String, wanted: String?) throws {
        var run = MLflowRun()
        run.status = status
        try run.write(directory)
        #expect(try read().records.first?.end?.status.rawValue == wanted)
    }

    @Test func `deleted runs and experiments, the trash, and MLflow 3's folders are no runs`() throws {
        var run = MLflowRun()
        run.stage = "deleted"
        try run.write(directory)
        run.stage = "active"
        run.id = "11111111111111111111111111111111"
        try run.write(directory, below: "mlruns/8")
        try directory.write("mlruns/8/meta.yaml", "name: gone\nlifecycle_stage: deleted\n")
        run.id = "22222222222222222222222222222222"
        try run.write(directory, below: "mlruns/.trash/9")
        try directory.write("mlruns/7/datasets/33333333333333333333333333333333/meta.yaml", "name: d\n")
        try directory.write("mlruns/7/traces/tr-1/trace_info.json", "{}")
        try directory.write("mlruns/models/m/meta.yaml", "name: m\n")
        let content = try read()
        #expect(content.records.isEmpty)
        #expect(content.warnings.isEmpty)
    }

    @Test func `the files of a logged model of MLflow 3 are outputs of its run`() throws {
        try MLflowRun().write(directory)
        let model = "mlruns/7/models/m-1"
        try directory.write("\(model)/meta.yaml", "name: gbm\nsource_run_id: 0123456789abcdef0123456789abcdef\n")
        try directory.write("\(model)/artifacts/MLmodel", "x")
        try directory.write("\(model)/artifacts/model.pkl", "y")
        try directory.write("mlruns/7/models/m-2/meta.yaml", "name: [")
        let outputs = try read().records.first?.outputs ?? []
        #expect(outputs.map(\.path) == ["gbm/MLmodel", "gbm/model.pkl"])
        #expect(outputs.allSatisfy { $0.role == .model })
    }

    @Test func `what is broken is named, and the rest is read`() throws {
        var run = MLflowRun()
        run.metrics["bad"] = "1700000000000 0.5 0\nnonsense\n1700000000000 1.5 1\n"
        run.params["long"] = String(repeating: "x", count: 70_000)
        try run.write(directory)
        run.id = "11111111111111111111111111111111"
        try run.write(directory)
        try directory.write("mlruns/7/\(run.id)/meta.yaml", "start_time: [")
        run.id = "22222222222222222222222222222222"
        try run.write(directory)
        try directory.write("mlruns/7/\(run.id)/meta.yaml", "name: x\n")
        let content = try read()
        #expect(content.records.map(\.run.description) == ["0123456789abcdef0123456789abcdef"])
        #expect(content.records.first?.series["bad"]?.map(\.value) == [0.5, 1.5])
        #expect(content.records.first?.params.keys.sorted() == ["lr"])
        #expect(content.warnings.count == 4)
        for part in [
            "\(self.run)/params/long: ", "\(self.run)/metrics/bad:2: it is not time, value and step",
            "mlruns/7/11111111111111111111111111111111/meta.yaml:2: ",
            "mlruns/7/22222222222222222222222222222222/meta.yaml: it lacks start_time",
        ] { #expect(content.warnings.contains { $0.contains(part) }, "\(part) in \(content.warnings)") }
    }

    @Test func `secrets among parameters and tags are masked`() throws {
        var run = MLflowRun()
        run.params["api_key"] = "abc"
        run.tags["db_password"] = "hunter2"
        try run.write(directory)
        let lines = try #require(try read().records.first).lines(store: unkept).joined()
        #expect(lines.contains(#""api_key":"***""#))
        #expect(!lines.contains("hunter2"))
    }

    @Test func `links are not followed out of the store`() throws {
        try MLflowRun().write(directory)
        try directory.write("secret", "x")
        try directory.write("\(run)/artifacts/a", "a")
        for name in ["artifacts/b", "params/b"] {
            let link = directory.path.appending(FilePath("\(run)/\(name)").components)
            #expect(symlink("\(directory.path)/secret", link.string) == 0)
        }
        let record = try #require(try read().records.first)
        #expect(record.outputs.map(\.path) == ["a"])
        #expect(record.params.keys.sorted() == ["lr"])
    }

    @Test func `files that are cut or mutated anywhere never crash the reader`() throws {
        try MLflowRun().write(directory)
        var generator = SeededGenerator(seed: 5)
        for name in ["mlruns/7/meta.yaml", "\(run)/meta.yaml", "\(run)/metrics/loss"] {
            let path = directory.path.appending(FilePath(name).components)
            let whole = try #require(try Files.read(path))
            for round in 0..<whole.count + 100 {
                var bytes = whole
                if round < whole.count {
                    bytes = Array(whole[..<round])
                } else {
                    for _ in 0..<3 {
                        bytes[Int.random(in: bytes.indices, using: &generator)] =
                            UInt8.random(in: 0...255, using: &generator)
                    }
                }
                let file = try FileDescriptor.open(path, .writeOnly, options: .truncate)
                try file.closeAfter { _ = try file.writeAll(bytes) }
                let content = try read()
                for record in content.records { _ = try record.lines(store: unkept) }
            }
            try Files.replace(path, with: whole)
        }
        #expect(try read().records.count == 1)
    }
}
