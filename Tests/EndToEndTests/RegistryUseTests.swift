import Base
import SystemPackage
import TestSupport
import Testing

/// What is done with models: runs as their source, their bytes, what is known of them.
struct RegistryUseTests {
    @Test func `a run is a source where its model is committed, or is committed for it`() async throws {
        let project = try await Project.withModel()
        try await project.sh("git ml run --name good -- sh -c 'printf good > models/m.bin'")
        let refused = try await project.ml("register", "m", "good")
        #expect(refused.status == 1 && refused.errors.contains("no commit holds the models/m.bin"), "\(refused)")
        #expect(refused.errors.contains("--branch"))
        let before = try await project.sh("git status --porcelain; git rev-parse HEAD; cat models/m.bin")
        let made = try await project.ml("register", "m", "good", "--branch", "candidates")
        #expect(made.status == 0, "\(made)")
        #expect(try await project.sh("git status --porcelain; git rev-parse HEAD; cat models/m.bin") == before)
        #expect(try await project.sh("git rev-parse candidates") == project.sh("git rev-parse 'm@v1.0.0^{}'"))
        // What a clone of that branch checks out is the model, after a push like any other.
        try await project.sh("git push -q origin candidates 'm@v1.0.0'")
        try await project.sh("git ml clone -q ../remote.git third 2>/dev/null || git ml clone ../remote.git third")
        try await project.sh("git checkout -q candidates && grep -qx good models/m.bin", in: "work/third")
        // Now a commit is linked to the run: nothing has to be made any more.
        let staged = try await project.ml("stage", "m", "prod", "good")
        #expect(staged.status == 0 && staged.output.contains("m#prod#1"), "\(staged)")
        let checkedOut = try await project.ml("register", "m", "good", "--branch", "main", "--version", "9.0.0")
        #expect(checkedOut.status == 1)
        let model = try await project.ml("model", "m@v1.0.0", "--json")
        let detail = try #require(try JSON.parse(model.output)["commits"]?.array?.first)
        #expect(detail["stages"] == ["prod"])
        #expect(detail["run"]?.string?.count == 32)
    }

    @Test func `model tells the image of a version and where it is deployed`() async throws {
        let project = try await Project.withRemote()
        try project.write("deploy.sh", "#!/bin/sh\nexit 0\n", mode: 0o755)
        try project.writeModel(stage: "{deploy: {to: command, run: [\(project.path)/deploy.sh]}}")
        try await project.sh(
            """
            git add . && git commit -qm one && git ml register m && git ml stage m prod
            git push -q origin main --tags
            """)
        let followed = try await project.ml("deliveries", "--follow")
        #expect(followed.status == 0, "\(followed)")
        let model = try JSON.parse(await project.ml("model", "m", "--json").output)
        let detail = try #require(model["commits"]?.array?.first)
        #expect(detail["digest"]?.string?.hasPrefix("sha256:") == true)
        let deployed = try #require(detail["deployed"]?.array)
        #expect(deployed.map { $0["stage"] } == ["prod"])
        let text = try await project.ml("model", "m").output
        #expect(text.contains("image    ") && text.contains("deployed prod"), "\(text)")
    }

    @Test func `get brings a model by its stage, here and from a repository without a clone`() async throws {
        let project = try await Project.withModel()
        try await project.sh(
            "git ml register m HEAD~2 --push && git ml stage m prod --push && git ml register m --push")
        let own = try await project.ml("get", "m#prod", "--to", "/dev/null/x")
        #expect(own.status == 1)
        _ = try await project.ml("get", "m#prod", "--to", "../here")
        #expect(try project.text("here/m.bin") == "a model")
        let away = try await project.ml("get", "../remote.git", "m#prod", "--json", in: "work/models/..")
        #expect(away.status == 0, "\(away)")
        let seen = try JSON.parse(away.output)
        #expect(seen["model"] == "m" && seen["version"] == "v1.0.0" && seen["stage"] == "prod" && seen["files"] == 1)
        #expect(try project.text("work/m.bin") == "a model")
        _ = try await project.ml("get", "remote.git", "m@latest", "--to", "latest", in: "")
        #expect(try project.text("latest/m.bin") == "a third model")
        let none = try await project.ml("get", "remote.git", "m#staging", in: "")
        #expect(none.status == 3 && none.errors.contains("nothing of m is in the stage"), "\(none)")
        let unknown = try await project.ml("get", "remote.git", "x#prod", in: "")
        #expect(unknown.status == 3, "\(unknown)")
        #expect(try await project.ml("get", "remote.git", in: "").status == 64)
    }

    @Test func `every name of a model is understood by each command that takes one`() async throws {
        let project = try await Project.withModel()
        try await project.sh(
            """
            git ml register m HEAD~2 && git ml stage m prod && git ml register m HEAD --version 3.0.0
            git push -q origin --tags
            """)
        let first = String(try await project.sh("git rev-parse HEAD~2").prefix(10))
        let last = String(try await project.sh("git rev-parse HEAD").prefix(10))
        for (name, commit) in [
            ("models:/m/3", last), ("m@v3.0.0", last), ("m@latest", last), ("m#prod", first), ("models:/m@prod", first),
        ] {
            // Names are read in one place: the others show that they are.
            let isTriedWhole = ["models:/m/3", "m#prod"].contains(name)
            let more = [
                ["stage", "m", "prod", name, "--dry-run"], ["review", name, "prod"], ["history", name],
                ["approve", name, "prod", "-m", "x"], ["deregister", name, "--dry-run"],
            ]
            for words in [
                ["model", name], ["stage", name, "prod", "--dry-run"], ["get", name, "--to", "../got", "--force"],
            ] + (isTriedWhole ? more : []) {
                let result = try await project.sandbox.run("git", ["ml"] + words, in: "work")
                #expect(result.status == 0 && result.text.contains(commit), "\(words): \(result.text)\(result.errors)")
            }
        }
        #expect(try await project.ml("gate", "m@v3.0.0", "prod").status == 0)
        for name in ["m#prod", "models:/m@prod"] {
            #expect(try await project.ml("unstage", name, "--dry-run").output.contains("m#prod!#2"))
        }
        #expect(try await project.ml("history", "m#prod").output.contains("m@v") == false)
        let twice = try await project.ml("stage", "m@v1.0.0", "prod", "v3.0.0")
        #expect(twice.status == 64 && twice.errors.contains("leave “v3.0.0” out"), "\(twice)")
        let whole = try await project.ml("deprecate", "m@v1.0.0")
        #expect(whole.status == 1 && whole.errors.contains("write m\n"), "\(whole)")
    }

    @Test func `a tag whose commit is missing in a shallow clone is told of`() async throws {
        let project = try await Project.withModel()
        try await project.sh("git ml register m HEAD~2 && git push -q origin --tags")
        try await project.sh("git clone -q --depth 1 file://$PWD/remote.git shallow", in: "")
        // A tag object whose commit did not come along, as after an interrupted or filtered fetch.
        try await project.sh(
            """
            git -C ../work cat-file tag 'm@v1.0.0' | git hash-object -t tag -w --stdin --literally > ../id
            mkdir -p .git/refs/tags && cp ../id '.git/refs/tags/m@v1.0.0'
            """, in: "shallow")
        let models = try await project.ml("models", "--json", in: "shallow")
        #expect(models.status == 0, "\(models)")
        #expect(try JSON.parse(models.output)["latest"]?["version"] == "v1.0.0")
        let doctor = try await project.ml("doctor", in: "shallow")
        #expect(doctor.output.contains("m@v1.0.0: its commit"), "\(doctor)")
        #expect(doctor.output.contains("is not in this clone"))
        let package = try await project.ml("package", "m", "--to", "oci:../out", in: "shallow")
        #expect(package.status == 5 && package.errors.contains("--unshallow"), "\(package)")
    }

    @Test func `artifacts.yaml of a GTO repository is read as well`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        try project.write(
            "work/artifacts.yaml", "old:\n  type: model\n  path: a.bin\n  labels: [x, y]\n  description: an old one\n")
        try project.write("work/a.bin", "bytes")
        try await project.sh("git add . && git commit -qm x && git ml register old && git ml deregister old v1.0.0")
        let model = try JSON.parse(await project.ml("model", "old", "--json").output)
        #expect(model["type"] == "model" && model["path"] == "a.bin" && model["labels"] == ["x", "y"])
        #expect(model["description"] == "an old one" && model["latest"] == .null)
        try project.write("work/artifacts.yaml", "- no\n- map\n")
        try await project.sh("git commit -qam broken")
        #expect(try await project.ml("models").status == 0)
        #expect(try await project.ml("doctor").output.contains("MEND artifacts.yaml: "))
    }
}
