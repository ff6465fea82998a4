import Base
import SystemPackage
import TestSupport
import Testing

/// Runs in the formats of other tools, written and read by the tools themselves.
struct ImportExportTests {
    private static let store = ["MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_TRACKING_URI": "file:mlruns"]

    private func project() async throws -> Project {
        let project = try Project()
        try await project.sandbox.repository()
        _ = try await project.ml("init")
        try await project.sh("git add . && git commit -qm 'set up'")
        return project
    }

    @discardableResult
    private func python(_ project: Project, _ program: String, in folder: String = "work") async throws -> String {
        let result = try await project.sandbox.run(
            "python3", ["-c", program], in: folder, environment: Self.store.mapValues { $0 })
        guard result.status == 0 else { throw Context(result.errors, cause: CancellationError()) }
        return result.text
    }

    private func lines(_ text: String) throws -> [JSON] {
        try text.split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    /// Three runs of the MLflow client: one with everything, its child, and one that failed.
    private static let record = """
        import mlflow
        mlflow.set_experiment("churn")
        with mlflow.start_run(run_name="first"):
            mlflow.log_params({"lr": 0.1, "model/depth": 4, "text": "two\\nlines", "api_key": "hunter2"})
            for step in range(3): mlflow.log_metric("loss", 1 / (step + 1), step=step)
            mlflow.log_metric("val/bad", float("nan"), step=7)
            mlflow.set_tags({"owner": "me", "mlflow.note.content": "a note"})
            mlflow.log_text("hello", "out/a.txt")
            with mlflow.start_run(nested=True, run_name="child"): mlflow.log_metric("z", 1)
        with mlflow.start_run(run_name="failed"): pass
        mlflow.MlflowClient().set_terminated(mlflow.last_active_run().info.run_id, "FAILED")
        mlflow.MlflowClient().create_run(mlflow.get_experiment_by_name("churn").experiment_id, run_name="going on")
        """

    /// What the client reads of a store, a line a run.
    private static let dump = """
        import json
        from mlflow import MlflowClient
        client = MlflowClient()
        for experiment in client.search_experiments():
            for run in client.search_runs([experiment.experiment_id]):
                id = run.info.run_id
                histories = {key: [[m.step, str(m.value), m.timestamp] for m in client.get_metric_history(id, key)]
                             for key in run.data.metrics}
                tags = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.source.")}
                print(json.dumps({"id": id, "name": run.info.run_name, "experiment": experiment.name,
                    "status": run.info.status, "start": run.info.start_time, "end": run.info.end_time,
                    "params": run.data.params, "histories": histories, "tags": tags,
                    "artifacts": [a.path for a in client.list_artifacts(id, "out")]}, sort_keys=True))
        """

    @Test func `a store that MLflow wrote is imported, and MLflow reads the same runs from an export`() async throws {
        let project = try await project()
        try await python(project, Self.record, in: "")
        let seen = try await project.ml("import", "../mlruns", "--json")
        #expect(seen.status == 0, "\(seen)")
        #expect(try lines(seen.output).map { $0["new"] } == [true, true, true])
        let runs = try lines(try await project.ml("runs", "--all", "--json").output)
        #expect(runs.count == 3)
        let first = try #require(runs.first { $0["name"]?.string == "first" })
        #expect(first["experiment"] == "churn")
        #expect(first["status"] == "finished")
        #expect(first["source"] == "import")
        #expect(
            first["params"]?.texts == ["lr": "0.1", "model/depth": "4", "text": "two\nlines", "api_key": "***"])
        #expect(first["metrics"]?["loss"]?.double == 1 / 3.0)
        #expect(first["metrics"]?["val/bad"]?.double?.isNaN == true)
        #expect(first["tags"]?["owner"] == "me")
        #expect(first["outputs"]?.array?.first?["path"] == "out/a.txt")
        #expect(Set(runs.compactMap { $0["status"]?.string }) == ["finished", "failed"])

        let again = try await project.ml("import", "../mlruns")
        #expect(again.output == "../mlruns: 0 run(s) taken in, 3 known already.\n", "\(again)")

        try await project.sh("mkdir ../export")
        let exported = try await project.ml("export", "--all", "--to", "../export/mlruns/")
        #expect(exported.output == "3 run(s) written to ../export/mlruns/.\n", "\(exported)")
        func ended(_ text: String) throws -> [String] {
            try lines(text).filter { $0["status"] != "RUNNING" }.map(\.canonical).sorted()
        }
        let before = try ended(try await python(project, Self.dump, in: "")).map {
            $0.replacing("hunter2", with: "***")
        }
        let after = try ended(try await python(project, Self.dump, in: "export"))
        #expect(before.count == 3)
        #expect(before == after)
        let count = "find export -type f | sort | xargs sha256sum | sha256sum"
        let sum = try await project.sh(count, in: "")
        _ = try await project.ml("export", "--all", "--to", "../export/mlruns/")
        #expect(try await project.sh(count, in: "") == sum)
    }

    @Test func `event files that tensorboardX wrote become runs`() async throws {
        let project = try await project()
        try await python(
            project,
            """
            from tensorboardX import SummaryWriter
            with SummaryWriter("tb/a") as w:
                for i in range(100): w.add_scalar("train/loss", 1 / (i + 1), i)
                w.add_text("note", "hello")
                w.add_hparams({"lr": 0.1, "kind": "gbm"}, {"hp/acc": 0.75}, name="trial")
            """, in: "")
        let seen = try await project.ml("import", "../tb")
        #expect(seen.output == "../tb: 2 run(s) taken in.\n", "\(seen)")
        let runs = try lines(try await project.ml("runs", "--all", "--json").output)
        let curve = try #require(runs.first { $0["name"]?.string == "a" })
        #expect(curve["metrics"]?["train/loss"]?.double == Double(Float(0.01)))
        #expect(curve["tags"]?["tensorboard.folder"] == "tb/a")
        let trial = try #require(runs.first { $0["name"]?.string == "trial" })
        #expect(trial["params"]?.texts == ["lr": "0.1", "kind": "gbm"])
        #expect(trial["metrics"]?["hp/acc"]?.double == 0.75)
        #expect(try await project.ml("import", "../tb").output == "../tb: 0 run(s) taken in, 2 known already.\n")
    }

    @Test func `a file moves runs to another clone byte for byte`() async throws {
        let project = try await project()
        try project.write("work/metrics.json", #"{"auc":0.9}"#)
        try await project.sh("git add . && git commit -qm auc")
        let exported = try await project.ml("export", "HEAD", "--to", "../runs.jsonl", "--json")
        #expect(exported.status == 0, "\(exported)")
        try await project.sh("git clone -q work other && cd other && git remote remove origin && git ml init", in: "")
        let dry = try await project.ml("import", "../runs.jsonl", "--dry-run", in: "other")
        #expect(dry.output.hasSuffix("../runs.jsonl: 1 run(s) would be taken in.\n"), "\(dry)")
        let imported = try await project.ml("import", "../runs.jsonl", in: "other")
        #expect(imported.output == "../runs.jsonl: 1 run(s) taken in.\n", "\(imported)")
        let note = "git notes --ref refs/notes/ml/runs show HEAD"
        #expect(try await project.sh(note, in: "other") == project.sh(note))
        let ref = "git rev-parse refs/notes/ml/runs"
        let head = try await project.sh(ref, in: "other")
        #expect(
            try await project.ml("import", "../runs.jsonl", in: "other").output
                == "../runs.jsonl: 0 run(s) taken in, 1 known already.\n")
        #expect(try await project.sh(ref, in: "other") == head)
    }

    @Test func `exports of Weights and Biases and folders of DVCLive are taken in`() async throws {
        let project = try await project()
        try project.write(
            "wandb-export.jsonl",
            #"{"id":"3k2j","name":"gbm","project":"churn","state":"finished","created_at":"2026-01-02T03:04:05Z","#
                + #""config":{"lr":0.1},"summary":{"auc":0.9}}"# + "\n{\n")
        let seen = try await project.ml("import", "../wandb-export.jsonl", "--experiment", "other")
        #expect(seen.output == "../wandb-export.jsonl: 1 run(s) taken in.\n")
        #expect(seen.errors == "git-ml: wandb-export.jsonl:2: it is not a JSON object\n")
        try project.write("dvclive/params.yaml", "lr: 0.2\n")
        try project.write("dvclive/metrics.json", #"{"acc":0.5,"step":1}"#)
        try project.write("dvclive/plots/metrics/acc.tsv", "step\tacc\n0\t0.25\n1\t0.5\n")
        #expect(try await project.ml("import", "../dvclive").output == "../dvclive: 1 run(s) taken in.\n")
        let runs = try lines(try await project.ml("runs", "--all", "--json").output)
        #expect(Set(runs.compactMap { $0["name"]?.string }) == ["gbm", "dvclive"])
        #expect(runs.first { $0["name"] == "gbm" }?["experiment"] == "other")
    }

    @Test(arguments: [
        (["import"], 64, "Error: Missing expected argument '<sources> ...'"),
        (["import", "../none"], 3, "error: ../none: there is no such file or folder"),
        (["import", "../empty"], 1, "error: ../empty: the folder holds nothing that is known"),
        (["import", "ml.yaml"], 1, "error: ml.yaml: the file is of no kind that is known"),
        (["import", "ml.yaml", "--format", "x"], 64, "Error: --format is one of git-ml, mlflow, tensorboard, wandb,"),
        (["import", "ml.yaml", "--commit", "none"], 3, "error: “none” names no commit, branch or tag here"),
        (["export", "--to", "x"], 64, "Error: name the runs to export, or use --all or --filter"),
        (["export", "none", "--to", "x"], 3, "error: “none” names no run"),
    ])
    func `what cannot be done is said`(words: [String], status: Int32, message: String) async throws {
        let project = try await project()
        try await project.sh("mkdir ../empty")
        let result = try await project.sandbox.run("git", ["ml"] + words, in: "work")
        #expect(result.status == status)
        #expect(result.errors.hasPrefix(message), "\(result.errors)")
    }
}
