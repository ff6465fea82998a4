import Base
import SystemPackage
import TestSupport
import Testing

struct BadInputTests {
    @Test(arguments: [
        ["log"], ["init"], ["doctor"], ["models"], ["deliveries"], ["runner", "--once"], ["track", "x"],
    ])
    func `outside a repository every command says so and how to start one`(words: [String]) async throws {
        let project = try Project()
        let result = try await project.sandbox.run("git-ml", words)
        #expect(result.status == 1)
        #expect(
            result.errors
                == "error: this folder is not inside a git repository\nhint: start one with `git init`, then run `git ml init`\n"
        )
        #expect(try Files.list(project.path).isEmpty)
    }

    @Test func `an unknown key in ml.yaml stops commands and only warns in hooks`() async throws {
        let project = try await Project.withRemote()
        try project.write("work/ml.yaml", "version: 1\nmodels:\n  m:\n    pth: models/m.bin\n")
        let seen = try await project.ml("models")
        #expect(
            seen
                == Seen(
                    status: 1, output: "",
                    errors: "error: ml.yaml:4: unknown key “pth” in “models.m”\nhint: did you mean “path”?\n"))
        let json = try await project.ml("models", "--json")
        #expect(try JSON.parse(json.errors)["kind"]?.string == "user")
        try project.write("work/metrics.json", #"{"auc":0.9}"#)
        let commit = try await project.sandbox.run("/bin/sh", ["-c", "git add . && git commit -qm x"], in: "work")
        #expect(commit.status == 0)
        #expect(commit.errors.contains("ml.yaml:4"))
        try project.write("work/ml.yaml", "version: 1\n")
        let runs = try await project.ml("runs", "--json").output
        #expect(runs.contains(#""auc":0.9"#))
    }

    @Test func `a model that ml.yaml lacks, or whose file is missing, makes no tag`() async throws {
        let project = try await Project.withRemote()
        try project.writeSettings("stages:\n  prod: {}\n")
        try await project.sh("git add . && git commit -qm x")
        let unknown = try await project.ml("register", "n")
        #expect(unknown.status == 3)
        #expect(unknown.errors.contains("ml.yaml names no model “n”"))
        let missing = try await project.ml("register", "m")
        #expect(missing.status == 3)
        #expect(missing.errors.contains("the model file models/m.bin is not in the commit"))
        let stage = try await project.ml("stage", "m", "pord", "HEAD")
        #expect(stage.errors.contains("did you mean prod?"))
        let tags = try await project.sh("git tag")
        #expect(tags == "")
    }

    @Test func `the runner refuses what ml.yaml does not name or the commit does not hold, and records why`()
        async throws
    {
        let project = try await Project.withRemote()
        try project.writeSettings("stages:\n  prod: {}\n  strict: {signers: keys}\n")
        try project.write("work/models/m.bin", "a model")
        try await project.sh(
            """
            git add . && git commit -qm 'a model' && git tag -a -m x 'n#prod#1' && git tag -a -m x 'm#test#1'
            git tag -a -m x 'm#strict#2'
            git rm -q models/m.bin && git commit -qm gone && git tag -a -m x 'm#prod#3' && git tag 'm#prod#4'
            rm ../remote.git/hooks/pre-receive && git push -q --no-verify origin main --tags
            """)
        let followed = try await project.ml("deliveries", "--follow")
        #expect(followed.status == 1)
        let records = try await project.ml("deliveries", "--json").output.split(separator: "\n")
            .map { try JSON.parse(String($0)) }
        func reason(_ model: String, _ stage: String, _ counter: Int64) -> String {
            let record = records.first {
                $0["model"]?.string == model && $0["stage"]?.string == stage && $0["counter"]?.int == counter
            }
            return record?["reason"]?.string ?? "none"
        }
        #expect(records.allSatisfy { $0["status"]?.string == "refused" })
        #expect(reason("n", "prod", 1).contains("names no model “n”"))
        #expect(reason("m", "test", 1).contains("names no stage “test”"))
        #expect(reason("m", "strict", 2).contains("asks for a signature"))
        #expect(reason("m", "prod", 3).contains("the model file models/m.bin is not in the commit"))
        #expect(reason("m", "prod", 4).contains("light tag"))
        let again = try await project.sandbox.run("git-ml", ["runner", "--once", "--wait", "--repo", "remote.git"])
        #expect(again.status == 0)
        #expect(again.text.contains("ignored the tag m#prod#4: it is a light tag"))
        let count = try await project.ml("deliveries", "--json").output.split(separator: "\n").count
        #expect(count == 5, "a second pass delivers nothing again")
        let images = try await project.sh("ls ../remote.git/ml/runner")
        #expect(!images.contains("images"), "nothing is built for what is refused")
    }

    @Test func `a model whose bytes have rotted at the remote is not delivered`() async throws {
        let project = try await Project.withRemote()
        try project.writeModel()
        try await project.sh(
            """
            git ml track 'models/**' && git add . && git commit -qm x && git push -q origin main
            f=$(find ../remote.git/lfs/objects -type f) && chmod +w $f && printf 'a m0del' > $f
            git tag -a -m x 'm#prod#1' && git push -q origin --tags
            """)
        let followed = try await project.ml("deliveries", "--follow")
        #expect(followed.status == 1)
        #expect(followed.output.contains("digest"), "\(followed)")
        let images = try await project.sh("cat ../remote.git/ml/runner/images/index.json 2>/dev/null || echo none")
        #expect(images == "none\n")
    }

    @Test func `a tag that was moved by force after its delivery is refused`() async throws {
        let project = try await Project.withRemote()
        try project.writeModel()
        try await project.sh(
            """
            git add . && git commit -qm x && git tag -a -m x 'm#prod#1' && git push -q origin main --tags
            git ml deliveries --follow
            printf other > models/m.bin && git commit -qam y && git tag -f -a -m y 'm#prod#1'
            git push -q origin main && rm ../remote.git/hooks/pre-receive
            git push -q -f --no-verify origin 'm#prod#1'
            """)
        let followed = try await project.ml("deliveries", "--follow")
        #expect(followed.status == 1)
        #expect(followed.output.contains("the tag was moved after it had been delivered"), "\(followed)")
    }

    // Case D-44.
    @Test func `doctor and fsck tell of records that contradict each other`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        let run = "0193590a6b3d7c21a8f04d1e2b6c9f11"
        for name in ["a", "b"] {
            try project.write(
                "lines", #"{"t":"2026-11-23T15:04:05.000001Z","run":"\#(run)","ev":"start","name":"\#(name)"}"# + "\n")
            try await project.sh(
                "git commit -q --allow-empty -m \(name); git notes --ref ml/runs append -F ../lines HEAD")
        }
        let reason = "it begins 2 times, differently"
        let fsck = try await project.ml("fsck")
        #expect(fsck.status == 5 && fsck.output.contains("contradiction: run \(run): \(reason) (notes of "), "\(fsck)")
        let found = try JSON.parse(await project.ml("fsck", "--json").output)
        #expect(found["problem"] == "contradiction" && found["path"]?.string == "run \(run)", "\(found)")
        let doctor = try await project.ml("doctor")
        #expect(doctor.status == 1 && doctor.output.contains("MEND run \(run): \(reason)\n"), "\(doctor)")
    }

    @Test func `a corrupt pointer is left as it is and stops no commit`() async throws {
        let project = try await Project.withRemote()
        try await project.sh("git ml track '*.bin'")
        let text = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 3\n"
        try project.write("work/a.bin", text)
        try await project.sh("git add . && git commit -qm x && git push -q origin main")
        try await project.sh("rm a.bin && git checkout -q a.bin")
        #expect(try project.text("work/a.bin") == text)
    }

    @Test func `a push whose bytes are nowhere fails before any ref moves, and --no-verify overrides`() async throws {
        let project = try await Project.withRemote()
        try await project.sh(
            "git ml track '*.bin' && printf x > a.bin && git add . && git commit -qm x && rm -rf .git/lfs/objects")
        let push = try await project.sandbox.run("git", ["push", "-q", "origin", "main"], in: "work")
        #expect(push.status != 0)
        #expect(push.errors.contains("the content of 1 file(s) is neither here nor at"))
        #expect(push.errors.contains("git push --no-verify"))
        let refs = try await project.sh("git ls-remote origin")
        #expect(refs == "")
        try await project.sh("git push -q --no-verify origin main")
    }

    @Test func `without Python a delivery says that it is missing, and commits go on`() async throws {
        let project = try await Project.withRemote()
        try project.writeModel(stage: "{deploy: {to: local}}")
        // A PATH with git and a shell and nothing else.
        try await project.sh(
            """
            mkdir ../few && for p in git sh ls cat tar gzip git-ml; do ln -s "$(command -v $p)" ../few/$p; done
            """)
        let few: [String: String?] = ["PATH": project.path.appending("few").string]
        let run = try await project.sandbox.run(
            "/bin/sh",
            ["-ec", "git add . && git commit -qm x && git tag -a -m x 'm#prod#1' && git push -q origin main --tags"],
            in: "work", environment: few)
        #expect(run.status == 0, "\(run.errors)")
        let followed = try await project.ml("deliveries", "--follow")
        #expect(followed.status == 1)
        #expect(followed.output.contains("the program “python3” is not installed, or not on the PATH"), "\(followed)")
    }

    @Test func `a runner that was killed in the middle takes the delivery up again and ends it`() async throws {
        let project = try await Project.withRemote()
        // The first deployment never ends; the second finds a file that lets it pass.
        try project.write(
            "deploy.sh", "#!/bin/sh\n[ -e \(project.path)/go ] || { echo $$ > \(project.path)/began; exec sleep 60; }\n"
        )
        try await project.sh("chmod +x ../deploy.sh")
        try project.writeModel(stage: "{deploy: {to: command, run: [\(project.path)/deploy.sh]}}")
        try await project.sh(
            """
            rm ../remote.git/hooks/post-receive
            git add . && git commit -qm x && git tag -a -m x 'm#prod#1' && git push -q origin main --tags
            git-ml runner --once --repo ../remote.git > ../runner.log 2>&1 & runner=$!
            while [ ! -s ../began ]; do sleep 0.05; done
            kill -9 $runner $(cat ../began)
            touch ../go
            git-ml runner --once --wait --repo ../remote.git
            """)
        let records = try await project.ml("deliveries", "--json").output.split(separator: "\n")
            .map { try JSON.parse(String($0)) }
        #expect(records.count == 1)
        #expect(records.first?["status"]?.string == "succeeded")
        let tries = records.first?["steps"]?.array?.compactMap { $0["try"]?.int } ?? []
        #expect(Set(tries) == [1, 2])
    }

    @Test(arguments: [["stage"], ["log", "--limit", "many"], ["nosuch"], ["runner", "--wait"], ["init", "--runner"]])
    func `wrong usage exits with 64`(words: [String]) async throws {
        let project = try Project()
        let result = try await project.sandbox.run("git-ml", words)
        #expect(result.status == 64)
    }
}
