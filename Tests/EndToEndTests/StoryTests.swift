import Base
import SystemPackage
import TestSupport
import Testing

/// The main job, step by step, on scikit-learn's breast-cancer data: what `make demo` shows, asserted.
struct StoryTests {
    @Test(.timeLimit(.minutes(10)))
    func `experiments are recorded, one is staged, served, replaced under load, and a worse one is refused`()
        async throws
    {
        let project = try await Project.withRemote()
        do { try await tell(project) } catch {
            await project.stopServers()
            throw error
        }
        await project.stopServers()
    }

    private func tell(_ project: Project) async throws {
        try await experiments(project)
        try await clones(project)
        let address = try await firstDelivery(project)
        try await secondDelivery(project, address)
        try await refusal(project, address)
        try await registry(project)
    }

    /// Steps 1 to 3: set-up, pointers, recorded commits.
    private func experiments(_ project: Project) async throws {
        let source = Places.package.appending("Tests").appending("Demo").appending("project")
        try await project.sh(
            """
            cp '\(source)'/*.py '\(source)'/requirements.txt '\(source)'/params.yaml .
            cat '\(source)/ml.yaml' >> ml.yaml
            git ml track 'data/*.csv' 'models/**'
            python3 make_data.py
            """)
        for (trees, depth) in [(5, 2), (50, 4), (200, 8)] {
            try await project.sh(
                """
                printf 'seed: 7\\nforest: {n_estimators: \(trees), max_depth: \(depth)}\\n' > params.yaml
                python3 train.py && git add . && git commit -qm '\(trees) trees'
                """)
        }
        let stored = try await project.sh("git cat-file -p HEAD:data/tumor.csv")
        #expect(stored.hasPrefix("version https://git-lfs.github.com/spec/v1\noid sha256:"))
        let clean = try await project.sh("git status --porcelain")
        #expect(clean == "")

        let runs = try await project.ml("runs", "--json").output.split(separator: "\n").map {
            try JSON.parse(String($0))
        }
        #expect(runs.map { $0["params"]?["forest.n_estimators"]?.string } == ["200", "50", "5"])
        #expect(runs.allSatisfy { $0["metrics"]?["auc"]?.double ?? 0 > 0.95 })
        #expect(runs.allSatisfy { $0["outputs"]?.array?.first?["path"]?.string == "models/tumor.joblib" })
        #expect(runs.allSatisfy { $0["inputs"]?.array?.first?["path"]?.string == "data/tumor.csv" })
        let table = try await project.ml("log").output
        #expect(table.contains("forest.max_depth") && !table.contains("seed"))
        #expect(table.contains("*"))
        let difference = try await project.ml("diff", "HEAD~1", "HEAD").output
        for word in ["forest.max_depth", "auc", "models/tumor.joblib"] { #expect(difference.contains(word)) }
        #expect(!difference.contains("data/tumor.csv"))
        let notes = try await project.sh("git log -1 --notes=ml/runs")
        #expect(notes.contains(#""forest.n_estimators":"200""#))
    }

    /// Step 4: the push, and two kinds of clones.
    private func clones(_ project: Project) async throws {
        try await project.sh("git push -q -u origin main")
        try await project.sh(
            """
            git ml clone remote.git clone
            git clone -q remote.git plain && cd plain && git ml init
            """, in: "")
        let table = try await project.ml("log").output
        for copy in ["clone", "plain"] {
            let same = try await project.ml("log", in: copy).output
            #expect(same == table)
            #expect(try project.text("\(copy)/data/tumor.csv") == project.text("work/data/tumor.csv"))
            let clean = try await project.sh("git status --porcelain", in: copy)
            #expect(clean == "")
        }
    }

    /// Steps 5 to 7: a stage by our command, and what the runner makes of it.
    private func firstDelivery(_ project: Project) async throws -> String {
        try await project.sh("git ml register tumor HEAD~1 && git ml stage tumor staging", in: "clone")
        let pushed = try await project.sandbox.run("git", ["push", "--tags"], in: "clone")
        #expect(pushed.status == 0)
        #expect(pushed.errors.contains("git ml deliveries --follow"))
        let followed = try await project.ml("deliveries", "--follow", in: "clone")
        #expect(followed.status == 0, "\(followed)")
        let record = try await latest(project)
        #expect(
            record["steps"]?.array?.map { "\($0["step"]?.string ?? "") \($0["status"]?.string ?? "")" }
                == [
                    "claim", "verify", "fetch", "gates", "package", "push", "render", "deploy", "wait", "probe",
                    "promote",
                ].map { $0 + " succeeded" })
        let address = try #require(record["target"]?.string)
        let checked = try await project.sh(
            "git checkout -q HEAD~1; python3 predict.py \(address) $(git rev-parse HEAD); git checkout -q main",
            in: "clone")
        #expect(checked.contains("20 of 20 predictions"))
        let logs = try await project.ml("logs", in: "clone").output
        #expect(logs.contains("pass: metrics.auc >= 0.95"))
        #expect(logs.contains("layer model"))
        return address
    }

    /// A plain tag; requests are under way the whole time, and none fails.
    private func secondDelivery(_ project: Project, _ address: String) async throws {
        try project.write(
            "load.py",
            """
            import json, sys, threading, time, urllib.request
            address, stop, counts, failed = sys.argv[1], threading.Event(), {}, []
            body = json.dumps({"inputs": [[1.0] * 30]}).encode()
            def ask():
                while not stop.is_set():
                    request = urllib.request.Request(address + "/invocations", body, {"Content-Type": "application/json"})
                    try:
                        with urllib.request.urlopen(request, timeout=30) as answer:
                            revision = answer.headers["X-Model-Revision"]
                            counts[revision] = counts.get(revision, 0) + 1
                    except Exception as error:
                        failed.append(repr(error))
            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads: thread.start()
            print("started", flush=True)
            sys.stdin.read()
            stop.set()
            for thread in threads: thread.join()
            print(len(counts), len(failed), sum(counts.values()), failed[:3])
            """)
        let report = try await project.sandbox.sh(
            """
            mkfifo hold
            python3 load.py \(address) < hold > load.out &
            load=$!
            exec 3> hold
            cd clone
            git tag -a 'tumor#staging#2' -m 'more trees'
            git push -q --tags 2>/dev/null
            git ml deliveries --follow > ../follow.out
            sleep 1
            exec 3>&-
            wait $load
            cat ../load.out
            """)
        let numbers = report.split(separator: "\n").last?.split(separator: " ") ?? []
        #expect(numbers.first == "2", "both models must have answered: \(report)")
        #expect(numbers.dropFirst().first == "0", "failed requests: \(report)")
        let checked = try await project.sh("python3 predict.py \(address) $(git rev-parse HEAD)", in: "clone")
        #expect(checked.contains("20 of 20 predictions"))
    }

    /// Step 8: a worse model.
    private func refusal(_ project: Project, _ address: String) async throws {
        let served = try await project.sh("git rev-parse HEAD", in: "clone").trimmingTrailingSpace
        try await project.sh(
            """
            printf 'seed: 7\\nforest: {n_estimators: 1, max_depth: 1}\\n' > params.yaml
            python3 train.py && git commit -qam 'a stump' && git tag -a 'tumor#staging#3' -m worse
            git push -q origin main
            """)
        let early = try await project.sandbox.run("git", ["push", "origin", "tumor#staging#3"], in: "work")
        #expect(early.status != 0 && early.errors.contains("the gate metrics.auc >= 0.95 says no"), "\(early.errors)")
        try await project.sh("git push -q --no-verify origin 'tumor#staging#3'")
        let followed = try await project.ml("deliveries", "--follow")
        #expect(followed.status == 1)
        let record = try await latest(project)
        #expect(record["status"]?.string == "refused")
        #expect(record["reason"]?.string?.contains("metrics.auc >= 0.95") == true)
        #expect(record["steps"]?.array?.last?["step"]?.string == "gates")
        let checked = try await project.sh("git fetch -q; python3 predict.py \(address) \(served)", in: "clone")
        #expect(checked.contains(String(served.prefix(10))))
    }

    /// The image goes to Debian's docker-registry, and skopeo finds the revision in it.
    private func registry(_ project: Project) async throws {
        let port = freePort()
        try project.write(
            "registry.yml",
            """
            version: 0.1
            storage: {filesystem: {rootdirectory: \(project.path)/registry}}
            http: {addr: "127.0.0.1:\(port)"}
            """)
        let program = try #require(ChildProcess.find("docker-registry"))
        let server = try BackgroundProcess(
            program, ["serve", project.path.appending("registry.yml").string],
            log: project.path.appending("registry.log"))
        _ = try await server.waitForLog("listening on")
        let packaged = try await project.ml(
            "package", "tumor@v1.0.0", "--to", "localhost:\(port)/acme/tumor:v1.0.0", "--json", in: "clone")
        #expect(packaged.status == 0, "\(packaged)")
        let json = try JSON.parse(packaged.output)
        #expect(json["layers"]?.array?.map { $0["kind"]?.string } == ["dependencies", "code", "model"])
        #expect(json["layers"]?.array?.allSatisfy { $0["pushed"]?.bool == true } == true)
        let inspected = try JSON.parse(
            await project.sh("skopeo inspect --tls-verify=false docker://localhost:\(port)/acme/tumor:v1.0.0", in: ""))
        #expect(inspected["Digest"]?.string == json["digest"]?.string)
        let commit = try await project.sh("git rev-parse 'tumor@v1.0.0^{commit}'", in: "clone").trimmingTrailingSpace
        #expect(inspected["Labels"]?["org.opencontainers.image.revision"]?.string == commit)
        // The runner packaged the same commit elsewhere: the same bytes.
        let records = try await project.ml("deliveries", "--json", in: "clone").output.split(separator: "\n")
        #expect(try records.contains { try JSON.parse(String($0))["digest"]?.string == json["digest"]?.string })
    }

    private func latest(_ project: Project) async throws -> JSON {
        let text = try await project.ml("deliveries", "--json", "--limit", "1", in: "clone").output
        return try JSON.parse(text.trimmingTrailingSpace)
    }
}
