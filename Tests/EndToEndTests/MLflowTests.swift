import Base
import SystemPackage
import TestSupport
import Testing

/// `git ml serve` and `git ml run` under MLflow's own client.
struct MLflowTests {
    private let project: Project
    private let port = freePort()

    init() async throws {
        project = try Project()
        try await project.sandbox.repository("work")
    }

    /// Starts `git-ml serve` itself: git's wrapper would not hand a signal on.
    private func serve(_ port: Int, _ more: String = "", log: String = "serve.log") async throws -> BackgroundProcess {
        let binary = Places.programs.appending("git-ml")
        let line = "cd '\(project.path.appending("work"))' && exec '\(binary)' serve --port \(port) \(more)"
        let path = project.sandbox.environment["PATH"] ?? nil
        let file = project.path.appending(log)
        Files.remove(file)
        let server = try BackgroundProcess("/bin/sh", ["-c", line], log: file, variables: ["PATH": path ?? ""])
        _ = try await server.waitForLog("http://127.0.0.1:\(port)\n")
        return server
    }

    /// Runs a script with MLflow's client; its last line of output is returned.
    private func python(_ script: String, _ words: String..., environment: [String: String] = [:]) async throws
        -> String
    {
        let variables = [
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:\(port)", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "PYTHONWARNINGS": "ignore",
        ].merging(environment) { $1 }
        let result = try await project.sandbox.run(
            "python3", ["-c", script] + words, in: "", environment: variables.mapValues { $0 })
        guard result.status == 0 else {
            throw ProcessFailure.failed(command: "python3", status: result.status, errors: result.errors + result.text)
        }
        return result.text.split(separator: "\n").last.map(String.init) ?? ""
    }

    private func runs() async throws -> [JSON] {
        let seen = try await project.sandbox.run("git", ["ml", "runs", "--all", "--json"], in: "work")
        return try seen.text.split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    @Test func `an unmodified client logs, nests, searches, and reads its files back`() async throws {
        let server = try await serve(port)
        let line = try await python(
            """
            import json, math, mlflow, pandas
            from mlflow.tracking import MlflowClient
            mlflow.set_experiment("exp")
            with mlflow.start_run(run_name="plain", tags={"k": "v"}, description="d") as run:
                mlflow.log_params({"lr": 0.1, "a": 1})
                for i in range(3): mlflow.log_metric("loss", 0.5 - i / 10, step=i)
                mlflow.log_metrics({"bad": math.nan, "step": 7})
                mlflow.log_text("hello", "notes/a+b.txt")
                data = pandas.DataFrame({"x": [1.0, 2.0]})
                mlflow.log_input(mlflow.data.from_pandas(data, name="toy"), context="training")
                with mlflow.start_run(run_name="child", nested=True): mlflow.log_metric("m", 1)
            c, id = MlflowClient(), run.info.run_id
            own = c.get_run(id)
            found = c.search_runs([own.info.experiment_id], "metrics.loss < 1 and params.lr = '0.1' and dataset.name = 'toy'")
            children = c.search_runs([own.info.experiment_id], f"tags.mlflow.parentRunId = '{id}'")
            file = mlflow.artifacts.download_artifacts(run_id=id, artifact_path="notes/a+b.txt")
            print(json.dumps([
                own.info.status, own.data.params, own.data.metrics["loss"], math.isnan(own.data.metrics["bad"]),
                own.data.metrics["step"], own.data.tags["k"], own.data.tags["mlflow.note.content"],
                [p.value for p in c.get_metric_history(id, "loss")], [r.info.run_name for r in found],
                [r.info.run_name for r in children], open(file).read(),
                own.inputs.dataset_inputs[0].tags[0].value, [f.path for f in c.list_artifacts(id, "notes")]]))
            """)
        #expect(
            line
                == #"["FINISHED", {"a": "1", "lr": "0.1"}, 0.3, true, 7.0, "v", "d", [0.5, 0.4, 0.3], ["plain"], ["child"], "hello", "training", ["notes/a+b.txt"]]"#
        )
        server.identity.signal(SIGTERM)
        let all = try await runs()
        #expect(Set(all.map { $0["name"]?.string }) == ["plain", "child"])
        let plain = try #require(all.first { $0["name"]?.string == "plain" })
        #expect(plain["experiment"] == "exp" && plain["source"] == "mlflow" && plain["status"] == "finished")
        let notes = try await project.sh("git notes --ref=ml/runs show HEAD")
        #expect(notes.contains(#""name":"plain""#))
    }

    @Test func `a model is logged, registered as a tag, and loaded by its alias`() async throws {
        let server = try await serve(port)
        let line = try await python(
            """
            import json, mlflow
            from mlflow.tracking import MlflowClient
            class Double(mlflow.pyfunc.PythonModel):
                def predict(self, context, model_input: list[float]): return [2 * x for x in model_input]
            c = MlflowClient()
            with mlflow.start_run():
                info = mlflow.pyfunc.log_model(
                    name="model", python_model=Double(), registered_model_name="double", pip_requirements=["mlflow"])
            c.set_registered_model_alias("double", "champion", "1")
            loaded = mlflow.pyfunc.load_model("models:/double@champion").predict([1.5])
            again = mlflow.register_model(f"models:/{info.model_id}", "double")
            c.transition_model_version_stage("double", "2", "Production")
            c.delete_model_version("double", "1")
            names = [m.name for m in c.search_registered_models("name LIKE 'dou%'")]
            print(json.dumps([loaded, again.version, [v.version for v in c.get_latest_versions("double")], names]))
            """)
        #expect(line == #"[[3.0], "2", ["2"], ["double"]]"#)
        server.identity.signal(SIGTERM)
        let tags = try await project.sh("git tag").split(separator: "\n").map(String.init)
        // The same model twice, most often within a second: each version keeps its own stage.
        #expect(
            Set(tags) == [
                "double#Production#2", "double#champion!#3", "double#champion#1", "double@v1.0.0", "double@v1.0.0!",
                "double@v2.0.0",
            ])
        let pointer = try await project.sh("git show double@v2.0.0:models/double/MLmodel")
        #expect(pointer.hasPrefix("version https://git-lfs.github.com/spec/v1\n"))
        let models = try await project.ml("models", "--json")
        #expect(models.output.contains(#""model":"double""#) && models.output.contains(#""version":"v2.0.0""#))
    }

    @Test func `a server killed in the middle loses nothing that it acknowledged, and clients of two servers go on`()
        async throws
    {
        let other = freePort()
        let first = try await serve(port)
        let second = try await serve(other, log: "second.log")
        // Each thread logs numbers one after the other and notes down those that were acknowledged.
        let script = """
            import json, os, sys, threading, time
            from mlflow.tracking import MlflowClient
            urls, folder = sys.argv[1:3], sys.argv[3]
            clients = [MlflowClient(url) for url in urls]
            run = clients[0].create_run("0", run_name="shared").info.run_id
            done, lock = {}, threading.Lock()
            def log(n):
                for i in range(60):
                    clients[n % 2].log_metric(run, f"m{n}", i, step=i)
                    done[n] = i + 1
                    if n == 0 and i == 20: open(folder + "/middle", "w").close()
                    if n == 0 and i == 20:
                        while not os.path.exists(folder + "/again"): time.sleep(0.05)
            threads = [threading.Thread(target=log, args=[n]) for n in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            counts = [len(clients[1].get_metric_history(run, f"m{n}")) for n in range(4)]
            clients[0].set_terminated(run)
            print(json.dumps([done[n] for n in range(4)] + counts + [clients[1].get_run(run).info.status]))
            """
        let urls = [port, other].map { "http://127.0.0.1:\($0)" }
        async let line = python(
            script, urls[0], urls[1], project.path.string, environment: ["MLFLOW_HTTP_REQUEST_MAX_RETRIES": "10"])
        for _ in 0..<2400 where try project.text("middle") == nil { try await Task.sleep(for: .milliseconds(50)) }
        first.identity.signal(SIGKILL)
        for _ in 0..<1200 where first.identity.isRunning { try await Task.sleep(for: .milliseconds(50)) }
        let again = try await serve(port)
        try project.write("again", "")
        #expect(try await line == #"[60, 60, 60, 60, 60, 60, 60, 60, "FINISHED"]"#)
        again.identity.signal(SIGTERM)
        second.identity.signal(SIGTERM)
        let run = try #require(try await runs().first)
        #expect(run["metrics"] == ["m0": 59.0, "m1": 59.0, "m2": 59.0, "m3": 59.0])
    }

    @Test func `a client whose connection breaks before the answer has done each thing once`() async throws {
        let server = try await serve(port)
        defer { server.identity.signal(SIGTERM) }
        let script = Places.package.appending(FilePath("Tests/Servers/counting_proxy.py").components).string
        let log = project.path.appending("proxy.log")
        // The answer to the first request never arrives.
        let proxy = try BackgroundProcess("/usr/bin/env", ["python3", script, "\(port)", "0", "1"], log: log)
        defer { proxy.identity.signal(SIGTERM) }
        let words = try await proxy.waitForLog(" ready\n").split(separator: " ")
        let through = try #require(words.count > 1 ? Int(words[1]) : nil)
        let line = try await python(
            """
            from mlflow.tracking import MlflowClient
            client = MlflowClient()
            run = client.create_run("0", run_name="once").info.run_id
            print(len(client.search_runs(["0"])), client.get_run(run).info.run_name)
            """, environment: ["MLFLOW_TRACKING_URI": "http://127.0.0.1:\(through)"])
        #expect(line == "1 once")
        let seen = try #require(try Files.readText(log))
        #expect(seen.split(separator: "request POST /api/2.0/mlflow/runs/create HTTP/1.1").count == 3)
    }

    @Test func `a script under git ml run logs into that very run`() async throws {
        try project.write(
            "work/train.py",
            """
            import mlflow, os
            mlflow.set_experiment("auto")
            with mlflow.start_run(run_name="inner") as run:
                mlflow.log_param("lr", 0.5)
                for i in range(3): mlflow.log_metric("loss", 1 / (i + 1), step=i)
                mlflow.log_text("x", "a.txt")
                with mlflow.start_run(nested=True, run_name="child"): mlflow.log_metric("m", 2)
            assert os.environ["GIT_ML_RUN"].endswith(run.info.run_id)
            """)
        try await project.sh("git add . && git commit -qm train")
        let seen = try await project.ml("run", "--json", "--", "python3", "train.py")
        #expect(seen.status == 0, "\(seen)")
        let run = try JSON.parse(seen.output)
        #expect(run["name"] == "inner" && run["experiment"] == "auto" && run["source"] == "cli")
        #expect(run["params"] == ["lr": "0.5"] && run["status"] == "finished")
        #expect(run["outputs"]?.array?.contains { $0["path"] == "a.txt" } == true)
        let child = try #require(try await runs().first { $0["name"] == "child" })
        #expect(child["metrics"] == ["m": 2.0] && child["source"] == "mlflow")
        // Nobody without the token is answered.
        let probe = try await project.ml(
            "run", "--", "sh", "-c",
            #"curl -s -o /dev/null -w '%{http_code}\n' "$MLFLOW_TRACKING_URI/api/2.0/mlflow/experiments/get?experiment_id=0""#
        )
        #expect(probe.output == "401\n")
    }

    @Test func `other hosts and pages are refused, ranges are served, and an open address needs users`() async throws {
        let server = try await serve(port)
        defer { server.identity.signal(SIGTERM) }
        let api = "http://127.0.0.1:\(port)/api/2.0"
        let text = try await project.sh(
            """
            code() { curl -s -o /dev/null -w '%{http_code} ' "$@"; }
            post() { curl -s -H 'Content-Type: application/json' -d "$2" "\(api)/mlflow/$1"; }
            code -H 'Host: evil.example' '\(api)/mlflow/experiments/get?experiment_id=0'
            code -H 'Origin: http://evil.example' '\(api)/mlflow/experiments/get?experiment_id=0'
            code -d '{}' '\(api)/mlflow/runs/create'
            code '\(api)/mlflow/no/such'
            code '\(api)/mlflow/runs/create'
            run=$(post runs/create '{"experiment_id":"0"}' | sed 's/.*"run_id":"\\([0-9a-f]*\\)".*/\\1/')
            printf 0123456789 | code -T - "\(api)/mlflow-artifacts/artifacts/0/$run/artifacts/d/f.txt"
            curl -s -H 'Range: bytes=2-4' "\(api)/mlflow-artifacts/artifacts/0/$run/artifacts/d/f.txt"
            printf ' '
            code --path-as-is "\(api)/mlflow-artifacts/artifacts/0/$run/artifacts/%2e%2e/%2e%2e/HEAD"
            code -X POST "\(api)/mlflow-artifacts/mpu/create/0/$run/artifacts/x"
            curl -s "\(api)/mlflow-artifacts/artifacts?path=0/$run/artifacts"
            curl -s -X DELETE "\(api)/mlflow-artifacts/artifacts/0/$run/artifacts/d"
            curl -s "\(api)/mlflow-artifacts/artifacts?path=0/$run/artifacts"
            """, in: "")
        #expect(text == #"403 403 400 404 405 200 234 400 501 {"files":[{"path":"d","is_dir":true}]}{}{}"#)
        let open = try await project.ml("serve", "--host", "0.0.0.0", "--port", "0")
        #expect(open.status == 64 && open.errors.contains("--users"))
        let taken = try await project.ml("serve", "--port", "\(port)")
        #expect(taken.status == 1 && taken.errors.contains("cannot listen on 127.0.0.1:\(port)"))
    }
}
