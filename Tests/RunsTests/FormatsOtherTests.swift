import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct FormatsOtherTests {
    private let directory: TemporaryDirectory
    private let time = Timestamp(seconds: 1_700_000_000)

    init() throws { directory = try TemporaryDirectory() }

    // MARK: DVCLive

    @Test func `DVCLive's folder gives parameters, curves, plots and artifacts`() throws {
        try directory.write("dvclive/params.yaml", "lr: 0.1\nm: {d: 4}\napi_key: abc\n")
        try directory.write("dvclive/metrics.json", #"{"train":{"loss":0.25},"acc":1.0,"step":1,"final":0.5}"#)
        try directory.write(
            "dvclive/plots/metrics/train/loss.tsv",
            "timestamp\tstep\tloss\n1700000005000\t0\t0.5\n1700000006000\t1\t0.25\n")
        try directory.write("dvclive/plots/metrics/acc.tsv", "step\tacc\r\n0\t0.0\r\nx\ty\r\n1\t1.0\r\n")
        try directory.write("dvclive/plots/images/a.png", "png")
        try directory.write("dvclive/plots/sklearn/cm.json", "[]")
        try directory.write("dvclive/artifacts/m.pkl", "m")
        let live = try DVCLive.read(directory.path.appending("dvclive"), at: time)
        #expect(live.params == ["lr": "0.1", "m.d": "4", "api_key": "***"])
        let newest = Timestamp(seconds: 1_700_000_006)
        #expect(
            live.series == [
                "train.loss": [
                    MetricPoint(step: 0, time: Timestamp(seconds: 1_700_000_005), value: 0.5),
                    MetricPoint(step: 1, time: newest, value: 0.25),
                ],
                "acc": [MetricPoint(step: 0, time: newest, value: 0), MetricPoint(step: 1, time: newest, value: 1)],
                "final": [MetricPoint(step: 1, time: newest, value: 0.5)],
            ])
        #expect(live.plots == ["plots/images/a.png", "plots/sklearn/cm.json"])
        #expect(live.artifacts == ["artifacts/m.pkl"])
        #expect(live.warnings == ["dvclive/plots/metrics/acc.tsv:3: it holds no step and value"])
    }

    @Test func `broken files of DVCLive are named and the rest is read`() throws {
        try directory.write("dvclive/params.yaml", "a: [")
        try directory.write("dvclive/metrics.json", "{")
        try directory.write("dvclive/plots/metrics/acc.tsv", "step\tacc\n0\t1\n")
        let live = try DVCLive.read(directory.path.appending("dvclive"), at: time)
        #expect(live.series["acc"]?.map(\.value) == [1])
        #expect(live.warnings.count == 2)
        #expect(live.warnings.allSatisfy { $0.hasPrefix("dvclive/") })
    }

    // MARK: Weights & Biases

    private func wandb(_ text: String) throws -> FoundContent {
        try WandBExport.read(directory.write("wandb-export.jsonl", text), code: .someCommit)
    }

    @Test func `a run of Weights and Biases is read with its history, in the line or behind it`() throws {
        let head =
            #"{"id":"3k2j","name":"gbm","project":"churn","entity":"acme","state":"finished","user":"ann","#
            + #""created_at":"2023-11-14T22:13:20","config":{"lr":{"value":0.1,"desc":null},"m":{"d":4},"_wandb":{"v":1}},"#
            + #""summary":{"auc":0.9,"best":0.95,"_step":1,"_runtime":7.5},"tags":["base"],"notes":"a note""#
        let rows = [
            #"{"_step":0,"_timestamp":1700000001.5,"_runtime":1,"auc":0.8,"img":{"_type":"image"}}"#,
            #"{"_step":1,"_timestamp":1700000002.5,"_runtime":2,"auc":0.9,"val":{"loss":"NaN"}}"#,
        ]
        let inline = try wandb(head + #","history":[\#(rows.joined(separator: ","))]}"# + "\n")
        let apart = try wandb(head + "}\n" + rows.joined(separator: "\n"))
        for content in [inline, apart] {
            #expect(content.warnings.isEmpty)
            let record = try #require(content.records.first)
            #expect(record.name == "gbm")
            #expect(record.experiment == "churn")
            #expect(record.user == "ann")
            #expect(record.started == time)
            #expect(record.end == RunRecord.End(.finished, seconds: 2))
            #expect(record.params == ["lr": "0.1", "m.d": "4"])
            #expect(record.tags == ["wandb.id": "3k2j", "base": "true", "mlflow.note.content": "a note"])
            #expect(record.series.keys.sorted() == ["auc", "best", "val.loss"])
            #expect(record.series["auc"]?.map(\.value) == [0.8, 0.9])
            #expect(record.series["auc"]?.first?.time.description == "2023-11-14T22:13:21.500000Z")
            #expect(record.series["best"]?.map(\.step) == [1])
        }
        #expect(inline.records.first?.run == apart.records.first?.run)
    }

    @Test(arguments: [
        ("crashed", "killed"), ("failed", "failed"), ("killed", "killed"), ("finished", "finished"), ("running", nil),
    ])
    func `the state tells how it ended`(state: String, wanted: String?) throws {
        let content = try wandb(#"{"id":"a","state":"\#(state)","config":{}}"#)
        #expect(content.records.first?.end?.status.rawValue == wanted)
        #expect(content.warnings.isEmpty == (wanted != nil))
    }

    @Test func `lines that are no run are named`() throws {
        let content = try wandb(
            """
            {"_step":0,"x":1}
            {"id":"a","config":{}}

            not json
            {"name":"no id"}
            {"_run":"b","_step":0,"x":1}
            """)
        #expect(content.records.count == 1)
        #expect(
            content.warnings == [
                "wandb-export.jsonl:1: the row belongs to no run that came before",
                "wandb-export.jsonl:4: it is not a JSON object",
                "wandb-export.jsonl:5: it is neither a run with an id nor a row with _step",
                "wandb-export.jsonl:6: the row belongs to no run that came before",
            ])
    }

    // MARK: dvc exp

    @Test func `experiments of dvc exp are read from git alone`() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        let hash = try await sandbox.sh(
            """
            base=$(git rev-parse HEAD)
            printf 'lr: 0.2\\n' > params.yaml; printf '{"auc": 0.9}' > metrics.json; mkdir eval
            printf '{"f1": 0.7}' > eval/m.json
            printf 'stages:\\n  train:\\n    cmd: python train.py\\n    params:\\n      other.yaml:\\n        depth: 4\\n' > dvc.lock
            printf 'stages:\\n  train:\\n    cmd: python train.py\\n    metrics:\\n    - eval/m.json:\\n        cache: false\\n' > dvc.yaml
            git add . && git commit -qm exp && exp=$(git rev-parse HEAD) && git reset -q --hard $base
            git update-ref refs/exps/$(echo $base | cut -c1-2)/$(echo $base | cut -c3-)/wavy-pike $exp
            git update-ref refs/exps/exec/EXEC_HEAD $exp
            git update-ref refs/exps/stash $exp
            printf '%s %s' $base $exp
            """, in: "work")
        let ids = hash.split(separator: " ").compactMap { ObjectID($0.filter { !$0.isNewline }) }
        #expect(ids.count == 2)
        let repository = try Repository(sandbox.path.appending("work"))
        let experiments = DVCExperiments(repository, settings: RecordSettings())
        #expect(try experiments.list().map(\.name) == ["wavy-pike"])
        let content = try experiments.read()
        #expect(content.warnings.isEmpty)
        let record = try #require(content.records.first)
        #expect(content.records.count == 1)
        #expect(record.name == "wavy-pike")
        #expect(record.code == ids.last)
        #expect(record.tags == ["dvc.exp.baseline": ids.first?.hex ?? ""])
        #expect(record.params == ["lr": "0.2", "depth": "4"])
        #expect(record.series.mapValues { $0.map(\.value) } == ["auc": [0.9], "f1": [0.7]])
        #expect(record.command == ["python train.py"])
        #expect(try experiments.read().records.first?.run == record.run)
    }
}
