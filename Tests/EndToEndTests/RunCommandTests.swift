import Base
import SystemPackage
import TestSupport
import Testing

/// `git ml run` and what a script calls inside of it.
struct RunCommandTests {
    private let project: Project

    init() async throws {
        project = try Project()
        try await project.sandbox.repository("work")
        _ = try await project.ml("init")
        try await project.sh("printf 'lr: 0.1 # rate\\n' > params.yaml; git add . && git commit -qm set-up")
    }

    private func runs(_ words: String...) async throws -> [JSON] {
        let seen = try await project.sandbox.run("git", ["ml", "runs", "--all", "--json"] + words, in: "work")
        return try seen.text.split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    private func binary() -> FilePath { Places.programs.appending("git-ml") }

    /// Starts `git-ml run -- …` itself: git's wrapper would not hand a signal on.
    private func start(_ script: String) throws -> BackgroundProcess {
        let work = project.path.appending("work")
        let line = "cd '\(work)' && exec '\(binary())' run -- /bin/sh -c \(shellQuoted(script))"
        let path = project.sandbox.environment["PATH"] ?? nil
        return try BackgroundProcess(
            "/bin/sh", ["-c", line], log: project.path.appending("run.log"), variables: ["PATH": path ?? ""])
    }

    @Test func `a run records code, parameters, metrics, output and how it ended`() async throws {
        try project.write(
            "work/train.sh", "echo hello; echo oops >&2; printf '{\"auc\": 0.9}' > metrics.json; exit 3\n")
        let seen = try await project.ml("run", "--name", "gbm", "-p", "lr=0.2", "--", "sh", "train.sh")
        #expect(seen.status == 3)
        #expect(seen.output == "hello\n")
        #expect(seen.errors.contains("git-ml: params.yaml: lr 0.1 → 0.2\n"))
        #expect(seen.errors.contains("oops\n"))
        #expect(try project.text("work/params.yaml") == "lr: 0.2 # rate\n")
        let run = try #require(try await runs().first { $0["name"]?.string == "gbm" })
        #expect(run["status"]?.string == "failed")
        #expect(run["params"] == ["lr": "0.2"])
        #expect(run["metrics"]?["auc"]?.double == 0.9)
        #expect(run["source"]?.string == "cli")
        #expect(run["dirty"]?.bool == true)
        let commit = try #require(run["commit"]?.string)
        let code = try await project.sh("git show \(commit):train.sh; git show \(commit):params.yaml")
        #expect(code.contains("exit 3") && code.contains("lr: 0.2"))
        #expect(run["outputs"]?.array?.contains { $0["role"]?.string == "log" } == true)
    }

    @Test func `a commit of what a run made is linked to it and is no run of its own`() async throws {
        _ = try await project.ml("run", "--name", "a", "--", "sh", "-c", "printf '{\"auc\": 0.9}' > metrics.json")
        try await project.sh("git add . && git commit -qm results")
        let all = try await runs()
        #expect(all.map { $0["source"]?.string } == ["cli", "commit"])
        let notes = try await project.sh("git notes --ref=ml/runs show HEAD")
        #expect(notes.contains(#""ev":"link""#) && notes.contains(#""exact":true"#))
        let shown = try await project.ml("show", "HEAD", "--json")
        #expect(shown.output.contains(#""name":"a""#))
    }

    @Test func `a script adds metrics, parameters, tags and files, by file and by command`() async throws {
        try project.write(
            "work/train.sh",
            """
            for i in 1 2 3; do echo "{\\"step\\":$i,\\"loss\\":0.$i}" >> "$GIT_ML_RUN/metrics.jsonl"; done
            git ml metric acc=0.5 val=NaN --step 7
            git ml param depth=4 api_key=abcdef
            git ml tag owner=ann
            echo report > report.txt
            git ml artifact report.txt
            """)
        let seen = try await project.ml("run", "--json", "--", "sh", "-e", "train.sh")
        #expect(seen.status == 0, "\(seen)")
        let run = try JSON.parse(seen.output)
        #expect(run["metrics"]?["loss"]?.double == 0.3)
        #expect(run["metrics"]?["acc"]?.double == 0.5)
        #expect(run["metrics"]?["val"]?.string == "NaN")
        #expect(run["params"] == ["api_key": "***", "depth": "4", "lr": "0.1"])
        #expect(run["tags"] == ["owner": "ann"])
        #expect(run["outputs"]?.array?.contains { $0["path"]?.string == "report.txt" } == true)
        let notes = try await project.sh(
            "git ml runs --all --json >/dev/null; git grep -h abcdef $(git rev-parse refs/notes/ml/runs) || true")
        #expect(notes == "")
    }

    @Test func `outside of a run the inner commands say what to do`() async throws {
        for words in [["metric", "a=1"], ["param", "a=1"], ["artifact", "ml.yaml"]] {
            let seen = try await project.sandbox.run("git", ["ml"] + words, in: "work")
            #expect(seen.status == 1)
            #expect(seen.errors.contains("hint: start the script with `git ml run -- COMMAND`"))
        }
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `a signal stops the command and its children, and the run is killed`(signal: Int32) async throws {
        let run = try start("echo ready; echo $$ > pid; sleep 300 & sleep 300; wait")
        _ = try await run.waitForLog("ready")
        run.identity.signal(signal)
        for _ in 0..<200 where run.identity.isRunning { try await Task.sleep(for: .milliseconds(50)) }
        #expect(!run.identity.isRunning)
        let group = try #require(try project.text("work/pid")?.trimmingTrailingSpace)
        // A zombie has ended: it only waits for whoever adopted it.
        let left = try await project.sh("ps -eo pgid=,stat=,args= | awk '$1 == \(group) && $2 !~ /^Z/'")
        #expect(left == "")
        let all = try await runs()
        #expect(all.filter { $0["source"]?.string == "cli" }.map { $0["status"]?.string } == ["killed"])
    }

    @Test func `git-ml killed outright loses nothing: the next command finds the run`() async throws {
        let run = try start(
            "echo '{\"loss\":0.5}' >> $GIT_ML_RUN/metrics.jsonl; git ml param a=b; echo ready; while echo x; do sleep 0.1; done"
        )
        _ = try await run.waitForLog("ready")
        let going = try await runs().first { $0["source"]?.string == "cli" }
        #expect(going?["status"]?.string == "running")
        #expect(going?["metrics"]?["loss"]?.double == 0.5)
        run.identity.signal(SIGKILL)
        var ended: JSON?
        for _ in 0..<100 {
            ended = try await runs().first { $0["source"]?.string == "cli" }
            if ended?["status"]?.string == "killed" { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(ended?["status"]?.string == "killed")
        #expect(ended?["metrics"]?["loss"]?.double == 0.5)
        #expect(ended?["params"]?["a"]?.string == "b")
        let left = try Files.list(project.path.appending("work/.git/ml/journal"))
        #expect(left == ["lock"])
    }

    @Test func `a run inside a run is its child`() async throws {
        let seen = try await project.ml(
            "run", "--name", "outer", "--", "git", "ml", "run", "--name", "inner", "--", "true")
        #expect(seen.status == 0, "\(seen)")
        let lines = try await project.sh("git ml runs --all >/dev/null; git notes --ref=ml/runs show HEAD")
            .split(separator: "\n").map { try JSON.parse(String($0)) }.filter { $0["ev"]?.string == "start" }
        let outer = lines.first { $0["name"]?.string == "outer" }
        let inner = lines.first { $0["name"]?.string == "inner" }
        #expect(inner?["parent"]?.string == outer?["run"]?.string)
        #expect(outer?["parent"] == .null)
    }

    @Test func `nothing is recorded of a command that is not there, on an unborn branch, or of a wrong -p`()
        async throws
    {
        let missing = try await project.ml("run", "--", "no-such-program")
        #expect(missing.status == 1)
        #expect(missing.errors.hasPrefix("error: the program “no-such-program” is not installed"))
        let slip = try await project.ml("run", "-p", "lrr=1", "--", "true")
        #expect(slip.status == 1)
        #expect(slip.errors == "error: params.yaml has no parameter “lrr”\nhint: did you mean “lr”?\n")
        try await project.sh("git init -q empty", in: "")
        let unborn = try await project.ml("run", "--", "true", in: "empty")
        #expect(unborn.status == 1)
        #expect(
            unborn.errors == """
                error: this branch has no commit yet, and a run is recorded on a commit
                hint: make one first: `git add . && git commit -m first`

                """)
        #expect(try await runs().filter { $0["source"]?.string == "cli" }.isEmpty)
    }

    @Test func `planted secrets get into no object, journal or log`() async throws {
        try project.write("work/keys.py", "API_KEY = \"pl4nted-secret-1\"\n")
        try project.write("work/.env", "X=pl4nted-secret-2\n")
        try project.write("work/params.yaml", "lr: 0.1\ndb:\n  password: pl4nted-secret-3\n")
        try await project.sh("git add -f .env")
        let seen = try await project.ml(
            "run", "--", "sh", "-c", "echo $MY_TOKEN", "--token=pl4nted-secret-4",
            environment: ["MY_TOKEN": "pl4nted-secret-5"])
        #expect(seen.output == "pl4nted-secret-5\n")
        #expect(seen.errors.contains("not kept with the code"))
        try await project.sh("git rm -q --cached .env; git reflog expire --expire=now --all; git ml runs --all")
        let found = try await project.sh(
            """
            git rev-list --objects --all | cut -d' ' -f1 | git cat-file --batch | grep -a pl4nted || true
            grep -ra pl4nted .git/ml || true
            """)
        #expect(found == "")
    }

    @Test func `a hook that was killed, or never ran, is made up for by the next command`() async throws {
        try await project.sh(
            """
            git config core.hooksPath /nowhere
            echo '{"auc": 0.8}' > metrics.json && git add . && git commit -qm one
            echo '{"auc": 0.9}' > metrics.json && git add . && git commit -qm two
            git config --unset core.hooksPath
            """)
        // A run that was started on such a commit does not hide it.
        _ = try await project.ml("run", "--", "true")
        let all = try await runs()
        #expect(all.compactMap { $0["metrics"]?["auc"]?.double }.sorted() == [0.8, 0.9])
        let again = try await runs()
        #expect(again == all)
    }
}
