import Base
import SystemPackage
import TestSupport
import Testing

/// `git ml reproduce`, with a script that trains on tracked data.
struct ReproduceTests {
    private let project: Project

    /// A run `one` of a script that reads data and parameters and writes a model, metrics and a curve.
    init() async throws {
        project = try Project()
        try await project.sandbox.repository()
        try project.write("work/train.py", Self.script)
        try project.write("work/params.yaml", "lr: 0.1  # the rate\n")
        try await project.sh(
            """
            git init -q --bare ../remote.git && git remote add origin ../remote.git
            git ml init && git ml track 'data/*.csv' 'models/*.bin'
            printf 'models:\\n  m: {path: models/m.bin}\\n' >> ml.yaml
            mkdir data && seq 1000 > data/train.csv
            git add . && git commit -qm set-up
            git ml run --name one -- python3 train.py
            """)
    }

    private static let script = """
        import json, os
        lr = float(open("params.yaml").readline().split("#")[0].split(":")[1])
        total = sum(int(line) for line in open("data/train.csv"))
        noise = float(os.environ.get("NOISE", "0"))
        with open(os.environ["GIT_ML_RUN"] + "/metrics.jsonl", "a") as log:
            for step in range(3):
                log.write(json.dumps({"step": step, "loss": 1 / (1 + step) + noise}) + "\\n")
        os.makedirs("models", exist_ok=True)
        open("models/m.bin", "w").write(f"{lr} {total} {noise}")
        json.dump({"auc": lr * 5}, open("metrics.json", "w"))
        print("trained")

        """

    private func reproduce(_ words: String..., environment: [String: String?] = [:]) async throws -> (
        status: Int32, report: JSON
    ) {
        let seen = try await project.sandbox.run(
            "git", ["ml", "reproduce", "--json"] + words, in: "work", environment: environment)
        let line = seen.text.isEmpty ? "{}" : seen.text
        return (seen.status, try JSON.parse(line))
    }

    private func run(_ name: String, in folder: String = "work") async throws -> JSON {
        try JSON.parse(try await project.ml("show", name, "--json", in: folder).output)
    }

    private func leftOvers() async throws -> String {
        try await project.sh("ls .git/ml/worktrees; git worktree list | tail -n +2")
    }

    @Test func `a run is repeated in a clean work tree, compared and linked, and nothing else changes`() async throws {
        try await project.sh("echo 'raise SystemExit(9)' > train.py; echo 'lr: 7' > params.yaml; rm data/train.csv")
        let before = try await project.sh(
            "git status --porcelain; cat train.py params.yaml; git stash list; git branch -a")
        let seen = try await project.ml("reproduce", "one")
        let old = try await run("one")
        let new = try await run("reproduce-one")
        let id = try #require(new["run"]?.string)
        let model = String((old["outputs"]?.array?.first?["oid"]?.string ?? "").dropFirst(7).prefix(12))
        #expect(
            seen
                == Seen(
                    status: 0,
                    output: """
                        trained
                                              RECORDED      NOW
                        metric  auc           0.5000        0.5000        equal
                        metric  loss          0.3333        0.3333        equal
                        output  models/m.bin  \(model)  \(model)  equal
                        one: reproduced; the new run is \(id.prefix(12))

                        """, errors: ""))
        #expect(new["tags"]?["git-ml.reproduces"] == old["run"])
        #expect(new["tags"]?["git-ml.verdict"] == "reproduced")
        #expect(old["tags"]?["git-ml.reproduced-by"] == new["run"])
        #expect(new["commit"] == old["commit"])
        #expect(new["dirty"] == false)
        let after = try await project.sh(
            "git status --porcelain; cat train.py params.yaml; git stash list; git branch -a")
        #expect(after == before)
        let left = try await leftOvers()
        #expect(left == "")
        // Three runs have the commit as their code: its name means the one whose results it holds, its own.
        let difference = try await project.ml("diff", "HEAD", "reproduce-one")
        #expect(difference.output.split(separator: "\n").map { $0.split(separator: " ")[0] }.contains("model"))
    }

    @Test func `uncommitted code is repeated too, from its snapshot`() async throws {
        try await project.sh(
            "sed -i 's/lr \\* 5/lr * 6/' train.py && git ml run --name two -p lr=0.15 -- python3 train.py")
        try await project.sh("git checkout -q . && git clean -fdq models metrics.json")
        let (status, report) = try await reproduce("two")
        #expect(status == 0)
        #expect(report["verdict"] == "reproduced")
        #expect(report["metrics"]?.array?.first?["new"]?.double == 0.15 * 6)
    }

    @Test func `a difference is told, and one within the tolerance is told apart`() async throws {
        let (status, report) = try await reproduce("one", environment: ["NOISE": "1e-9"])
        #expect(status == 1)
        #expect(report["verdict"] == "different")
        let (near, tolerant) = try await reproduce("one", "--tolerance", "1e-6", environment: ["NOISE": "1e-9"])
        #expect(near == 0)
        #expect(tolerant["verdict"] == "reproduced within tolerance")
        #expect(tolerant["metrics"]?.array?.map { $0["agreement"]?.string } == ["equal", "within"])
        #expect(tolerant["outputs"]?.array?.map { $0["agreement"]?.string } == ["different"])
        let (far, _) = try await reproduce("one", "--tolerance", "1e-12", environment: ["NOISE": "1e-9"])
        #expect(far == 1)
    }

    @Test func `a command that makes nothing is a difference, also where the code holds the model`() async throws {
        try await project.sh("git add . && git commit -qm trained && git ml run --name again -- python3 train.py")
        let (status, report) = try await reproduce("again", "--", "true")
        #expect(status == 1)
        #expect(report["outputs"]?.array?.map { $0["agreement"]?.string } == ["missing"])
    }

    @Test func `a parameter that a run recorded beside the file's is written for it`() async throws {
        try await project.sh(
            "git ml run --name wide -- sh -c 'git ml param lr=0.2 && sed -i s/0.1/0.2/ params.yaml && python3 train.py'"
        )
        try await project.sh("git checkout -q params.yaml")
        let seen = try await project.ml("reproduce", "wide", "--", "python3", "train.py")
        #expect(seen.status == 0, "\(seen)")
        #expect(seen.errors == "git-ml: params.yaml: lr 0.1 → 0.2\n")
    }

    // MARK: data

    @Test func `a clone without the data fetches it by digest, and says what it cannot have`() async throws {
        try await project.sh("git add . && git commit -qm trained && git push -q -u origin main")
        try await project.sh("git ml clone remote.git clone && rm -rf clone/.git/lfs clone/.git/ml/cache", in: "")
        let fetched = try await project.ml("reproduce", "one", in: "clone")
        #expect(fetched.status == 0, "\(fetched)")
        try await project.sh("rm -rf clone/.git/lfs clone/data remote.git/lfs/objects/67", in: "")
        let seen = try await project.ml("reproduce", "one", in: "clone")
        #expect(seen.status == 1)
        #expect(
            seen.output == """
                the content of the input data/train.csv (67d4ff71d439) is neither here nor at \
                file://\(project.path)/remote.git/lfs/objects
                one: cannot

                """)
        let left = try await project.sh("ls .git/ml/worktrees; git worktree list | tail -n +2", in: "clone")
        #expect(left == "")
    }

    // MARK: commands

    @Test func `a command of a folder below the top is repeated there`() async throws {
        try await project.sh(
            """
            mkdir -p sub/deep; echo 'print(open("here").read())' > sub/deep/t.py; echo here > sub/deep/here
            git add . && git commit -qm below; cd sub/deep; git ml run --name below -- python3 t.py
            """)
        let (status, report) = try await reproduce("below")
        #expect(status == 0, "\(report)")
        #expect(report["verdict"]?.string == "reproduced")
        #expect(try await run("below")["environment"]?["folder"]?.string == "sub/deep")
    }

    @Test func `submodules are checked out from the person's own clones of them, and nothing is set up there`()
        async throws
    {
        try await project.sh(
            """
            git init -q ../part; (cd ../part; echo 1 > v; git add .; git commit -qm v)
            git -c protocol.file.allow=always submodule --quiet add "$PWD/../part" libs/part && git commit -qm part
            (cd libs/part; echo 2 > v; git commit -qam 'pushed nowhere'); git commit -qam 'newer part'
            git ml run --name with-part -- sh -c 'test "$(cat libs/part/v)" = 2 && mkdir -p models && printf %s 2 > models/m.bin'
            cp .git/config ../config
            """)
        let (status, report) = try await reproduce("with-part")
        #expect(status == 0, "\(report)")
        #expect(report["verdict"]?.string == "reproduced")
        try await project.sh("cmp .git/config ../config; test -z \"$(git status --porcelain libs)\"")
    }

    @Test func `a run without a command asks for one`() async throws {
        try await project.sh("echo 'lr: 0.3' > params.yaml && git add . && git commit -qm 'by hand'")
        let seen = try await project.ml("reproduce", "HEAD")
        let commit = try await run("HEAD")
        let id = try #require(commit["run"]?.string)
        #expect(
            seen
                == Seen(
                    status: 1, output: "",
                    errors: """
                        error: the run \(id.prefix(12)) has no command: it was recorded by a commit or an import
                        hint: name the command that made it: `git ml reproduce RUN -- python train.py`

                        """))
        let (status, report) = try await reproduce("HEAD", "--", "python3", "train.py")
        #expect(status == 1)
        #expect(report["verdict"] == "different")
    }

    @Test func `a command whose secret was masked is not run with the mask`() async throws {
        try await project.sh("git ml run --name secret -- true --password hunter2")
        let seen = try await project.ml("reproduce", "secret")
        #expect(seen.status == 1)
        #expect(seen.errors.contains("had a secret in it, which was not kept\nhint: give the whole command"))
    }

    @Test func `a failing command is reproduced when it fails the same way`() async throws {
        _ = try await project.ml("run", "--name", "bad", "--", "sh", "-c", "exit ${CODE:-3}")
        let (same, report) = try await reproduce("bad")
        #expect(same == 0)
        #expect(report["exit"] == ["old": 3, "new": 3])
        let (other, _) = try await reproduce("bad", environment: ["CODE": "4"])
        #expect(other == 1)
    }

    // MARK: the environment

    @Test func `the environment is rebuilt from the lock file once, and the command runs in it`() async throws {
        try project.write("wheel.py", Self.wheel)
        try await project.sh(
            """
            python3 ../wheel.py
            echo ./tiny-1.0-py3-none-any.whl > requirements.txt
            echo 'import tiny, json; json.dump({"tiny": tiny.answer}, open("metrics.json", "w"))' > use.py
            git add -f . && git commit -qm wheel
            PYTHONPATH=tiny-1.0-py3-none-any.whl git ml run --name tiny -- python3 use.py
            """)
        let (without, _) = try await reproduce("tiny")
        #expect(without == 1)
        let first = try await project.ml("reproduce", "tiny", "--env")
        #expect(first.status == 0, "\(first)")
        #expect(first.errors.contains("git-ml: building the environment of requirements.txt\n"))
        let second = try await project.ml("reproduce", "tiny", "--env")
        #expect(second.status == 0, "\(second)")
        #expect(!second.errors.contains("building"))
        try await project.sh("echo ./none.whl > requirements.txt && git add -u && git commit -qm broken")
        try await project.sh("PYTHONPATH=tiny-1.0-py3-none-any.whl git ml run --name broken -- python3 use.py")
        let broken = try await project.ml("reproduce", "broken", "--env")
        #expect(broken.status == 1)
        #expect(broken.errors.contains("error: the environment of requirements.txt could not be built: "))
        let none = try await project.ml("reproduce", "one", "--env")
        #expect(none.errors.contains("error: the run's code has no lock file to rebuild its environment from\n"))
        let left = try await leftOvers()
        #expect(left == "")
    }

    /// Makes a wheel without a network: a zip with a module and its description.
    private static let wheel = """
        import zipfile
        with zipfile.ZipFile("tiny-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tiny.py", "answer = 42\\n")
            wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
            wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
            wheel.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\\ntiny-1.0.dist-info/METADATA,,\\ntiny-1.0.dist-info/WHEEL,,\\ntiny-1.0.dist-info/RECORD,,\\n")

        """

    // MARK: interruptions

    @Test(arguments: [SIGINT, SIGTERM])
    func `a signal stops the command, removes the work tree and leaves the run as killed`(signal: Int32) async throws {
        try await project.sh("git ml run --name slow -- sh -c 'echo going; sleep ${TIME:-0}'")
        let process = try start("slow")
        _ = try await process.waitForLog("going")
        process.identity.signal(signal)
        for _ in 0..<100 where process.identity.isRunning { try await Task.sleep(for: .milliseconds(50)) }
        #expect(!process.identity.isRunning)
        let left = try await leftOvers()
        #expect(left == "")
        let new = try await run("reproduce-slow")
        #expect(new["status"] == "killed")
        #expect(new["tags"]?["git-ml.verdict"] == "cannot")
        #expect(try Files.readText(process.log)?.contains("the command was stopped before its end") == true)
    }

    @Test func `what a killed process left is removed by the next`() async throws {
        try await project.sh("git ml run --name slow -- sh -c 'echo going; sleep ${TIME:-0}'")
        let process = try start("slow", time: 3)
        _ = try await process.waitForLog("going")
        process.identity.signal(SIGKILL)
        for _ in 0..<100 where process.identity.isRunning { try await Task.sleep(for: .milliseconds(50)) }
        let before = try await leftOvers()
        #expect(before != "")
        let (status, _) = try await reproduce("one")
        #expect(status == 0)
        let after = try await leftOvers()
        #expect(after == "")
    }

    /// Starts `git-ml reproduce` itself: git's wrapper would not hand a signal on.
    private func start(_ run: String, time: Int = 60) throws -> BackgroundProcess {
        let work = project.path.appending("work")
        let line = "cd '\(work)' && exec '\(Places.programs.appending("git-ml"))' reproduce \(run)"
        return try BackgroundProcess(
            "/bin/sh", ["-c", line], log: project.path.appending("log"),
            variables: [
                "TIME": String(time), "PATH": "\(Places.programs):\(environmentValue("PATH") ?? "/usr/bin:/bin")",
            ])
    }

    @Test func `two at once do not disturb each other`() async throws {
        async let first = reproduce("one")
        async let second = reproduce("one")
        let verdicts = try await [first.report["verdict"], second.report["verdict"]]
        #expect(verdicts == ["reproduced", "reproduced"])
        let left = try await leftOvers()
        #expect(left == "")
    }

    @Test func `--keep leaves the work tree to the person`() async throws {
        let seen = try await project.ml("reproduce", "one", "--keep")
        #expect(seen.status == 0)
        let path = try #require(seen.errors.split(separator: "`").dropFirst().first?.split(separator: " ").last)
        #expect(try Files.readText(FilePath(String(path)).appending("metrics.json")) == #"{"auc": 0.5}"#)
        _ = try await reproduce("one")
        try await project.sh("git worktree remove --force '\(path)'")
    }
}
