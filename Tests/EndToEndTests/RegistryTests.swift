import Base
import SystemPackage
import TestSupport
import Testing

struct RegistryTests {
    /// A clone `work` with a model in three commits, and a stage that asks for nothing.
    private func project() async throws -> Project {
        let project = try await Project.withRemote()
        try project.writeModel()
        try await project.sh(
            """
            git ml track 'models/*.bin'
            git add . && git commit -qm one
            printf 'a second model' > models/m.bin && git commit -qam two
            printf 'a third model' > models/m.bin && git commit -qam three
            git push -q -u origin main
            """)
        return project
    }

    private func json(_ text: String) throws -> [JSON] {
        try text.split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    @Test func `every command prints the tag that it made and how to push it`() async throws {
        let project = try await project()
        func first(_ words: String...) async throws -> String {
            let seen = try await project.sandbox.run("git", ["ml"] + words, in: "work")
            #expect(seen.status == 0, "\(seen.errors)")
            let lines = seen.text.split(separator: "\n").map(String.init)
            #expect(lines.count >= 2 && lines[1].hasPrefix("hand it over with: git push origin "))
            return lines.first.map { String($0.split(separator: " ").last ?? "") } ?? ""
        }
        #expect(try await first("register", "m", "HEAD~2") == "m@v1.0.0")
        #expect(try await first("register", "m", "HEAD~1", "--bump", "patch") == "m@v1.0.1")
        #expect(try await first("register", "m", "--version", "2.0.0-rc.1") == "m@v2.0.0-rc.1")
        #expect(try await first("stage", "m", "prod", "v1.0.0") == "m#prod#1")
        #expect(try await first("stage", "m", "prod", "HEAD~1") == "m#prod#2")
        #expect(try await first("unstage", "m", "prod") == "m#prod!#3")
        #expect(try await first("deregister", "m", "v1.0.1") == "m@v1.0.1!")
        #expect(try await first("register", "m", "HEAD~1", "--version", "v1.0.1") == "m@v1.0.1#4")
        #expect(try await first("deregister", "m", "1.0.1") == "m@v1.0.1!#5")
        #expect(try await first("deprecate", "m") == "m@deprecated")
        let model = try #require(try json(await project.ml("models", "--json").output).first)
        #expect(model["deprecated"] == true)
        #expect(model["latest"]?["version"] == "v2.0.0-rc.1")
        #expect(model["desired"] == [:])
        // All of it in one second, and GTO sees the same order.
        let theirs = try JSON.parse(await project.sh("gto show --json --deprecated"))
        #expect(theirs["m"]?["active"] == false)
        #expect(theirs["m"]?["stage"]?["prod"]?.string == model["stages"]?["prod"]?.array?.first?["version"]?.string)
        #expect(try await first("stage", "m", "prod") == "m#prod#6")
        let again = try #require(try json(await project.ml("models", "--json").output).first)
        #expect(again["deprecated"] == false)
        #expect(again["desired"]?["prod"]?["version"] == "v2.0.0-rc.1")
    }

    @Test func `a dry run makes no tag, and what GTO would refuse is refused`() async throws {
        let project = try await project()
        let dry = try await project.ml("register", "m", "--dry-run")
        #expect(dry.output.hasPrefix("would tag ") && dry.output.hasSuffix(" as m@v1.0.0\n"))
        #expect(try await project.sh("git tag") == "")
        _ = try await project.ml("register", "m")
        let taken = try await project.ml("register", "m", "HEAD~1", "--version", "v1.0.0")
        #expect(taken.status == 1 && taken.errors.contains("m v1.0.0 is registered already"))
        let second = try await project.ml("register", "m")
        #expect(second.status == 1 && second.errors.contains("is already m v1.0.0"))
        let unknown = try await project.ml("register", "mm")
        #expect(unknown.status == 3 && unknown.errors.contains("did you mean m?"))
        let stage = try await project.ml("stage", "m", "prod", "v3.0.0")
        #expect(stage.status == 3 && stage.errors.contains("there are the versions v1.0.0"))
        #expect(try await project.ml("unstage", "m", "prod").status == 3)
        #expect(try await project.ml("deregister", "m", "v7.0.0").status == 3)
        try project.writeSettings("  M: {path: models/m.bin}\n")
        let alike = try await project.ml("register", "M")
        #expect(alike.status == 1 && alike.errors.contains("differ only in case"))
        #expect(try await project.sh("git tag") == "m@v1.0.0\n")
    }

    @Test func `a stage tag states what it means and which tag it follows`() async throws {
        let project = try await project()
        try await project.sh("sed -i 's/^version: 1$/version: 1\\nrepo: some-id/' ml.yaml")
        _ = try await project.ml("register", "m")
        _ = try await project.ml("stage", "m", "prod", "HEAD~1")
        let seen = try await project.ml(
            "stage", "m", "prod", "v1.0.0", "--message", "It is good", "--expires", "2999-01-31", "--json")
        let made = try JSON.parse(seen.output)
        #expect(made["tag"] == "m#prod#2" && made["counter"] == 2 && made["pushed"] == false)
        let digest = try Pointerlike.digest(await project.sh("git show HEAD:models/m.bin"))
        let commit = try await project.sh("git rev-parse HEAD").trimmingTrailingSpace
        let previous = try await project.sh("git rev-parse 'refs/tags/m#prod#1'").trimmingTrailingSpace
        #expect(
            try await project.sh("git for-each-ref --format='%(contents)' 'refs/tags/m#prod#2'") == """
                It is good

                git-ml-stage: 1
                repo: some-id
                model: m
                version: v1.0.0
                stage: prod
                counter: 2
                commit: \(commit)
                model-digest: \(digest)
                previous: \(previous)
                expires: 2999-01-31T00:00:00Z


                """)
        #expect(try await project.ml("stage", "m", "prod", "--expires", "2001-01-01").status == 64)
    }

    @Test func `two leads stage at once: both pushes keep, with one order`() async throws {
        let project = try await project()
        try await project.sh("git ml register m HEAD~1 --push && git ml register m HEAD --push")
        try await project.sh("git clone -q remote.git other", in: "")
        try await project.sh("git config user.name bo && git ml init", in: "other")
        async let first = project.ml("stage", "m", "prod", "v1.0.0", "--push")
        async let second = project.ml("stage", "m", "prod", "v1.1.0", "--push", in: "other")
        let (a, b) = (try await first, try await second)
        #expect(a.status == 0 && a.output.contains("pushed to origin"), "\(a)")
        #expect(b.status == 0 && b.output.contains("pushed to origin"), "\(b)")
        // The same once more, where the second is sure to be late.
        let late = try await project.ml("stage", "m", "prod", "v1.1.0", "--push")
        let later = try await project.ml("stage", "m", "prod", "v1.0.0", "--push", in: "other")
        #expect(late.status == 0 && later.output.contains("m#prod#4"), "\(late)\n\(later)")
        #expect(
            try await project.sh("git -C remote.git tag -l 'm#*'", in: "")
                == "m#prod#1\nm#prod#2\nm#prod#3\nm#prod#4\n")
        for folder in ["work", "other"] {
            try await project.sh("git fetch -q --tags", in: folder)
            let model = try #require(try json(await project.ml("models", "--json", in: folder).output).first)
            #expect(model["desired"]?["prod"]?["version"] == "v1.0.0")
            #expect(model["stages"]?["prod"]?.array?.first?["tag"] == "m#prod#4")
            #expect(try await project.ml("models", in: folder).output.contains("by date") == false)
        }
    }

    @Test func `a tag that cannot be pushed is taken away again`() async throws {
        let project = try await project()
        try await project.sh("git ml register m --push")
        try project.write("remote.git/hooks/pre-receive", "#!/bin/sh\necho 'not today' >&2\nexit 1\n", mode: 0o755)
        let refused = try await project.ml("stage", "m", "prod", "--push")
        #expect(refused.status == 4 && refused.errors.contains("not today"), "\(refused)")
        try await project.sh("git remote set-url origin /nowhere")
        #expect(try await project.ml("stage", "m", "prod", "--push").status == 4)
        #expect(try await project.sh("git tag") == "m@v1.0.0\n")
    }

    @Test func `a run is a source where its model is committed, or is committed for it`() async throws {
        let project = try await project()
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

    @Test func `models, model and history tell what is where, since when and by whom`() async throws {
        let project = try await project()
        try await project.sh("git ml register m HEAD~1 && git ml register m && git ml stage m prod v1.0.0")
        let list = try await project.ml("models")
        #expect(list.output.contains("m      v1.1.0  prod   v1.0.0"), "\(list)")
        let show = try await project.ml("model", "m")
        for text in ["path     models/m.bin", "latest   v1.1.0", "v1.0.0  ", "in prod", "auc 0.9"] {
            #expect(show.output.contains(text), "\(text) in \(show)")
        }
        let history = try await project.ml("history", "m", "--ascending", "--json")
        #expect(
            try json(history.output).map { "\($0["event"]?.string ?? "") \($0["by"]?.string ?? "")" }
                == ["registration ann", "registration ann", "assignment ann"])
        let run = try JSON.parse(await project.ml("show", "m#prod", "--json").output)
        let model = try JSON.parse(await project.ml("model", "m#prod", "--json").output)
        #expect(run["run"]?.string?.count == 32)
        #expect(run["run"] == model["commits"]?.array?.first?["run"])
        // A tag from a wrong clock changes what is current by date, not what is deployed.
        try await project.sh("GIT_COMMITTER_DATE='1600000000 +0000' git tag -a -m x 'm#prod#2' HEAD")
        let now = try #require(try json(await project.ml("models", "--json").output).first)
        #expect(now["stages"]?["prod"]?.array?.first?["version"] == "v1.0.0")
        #expect(now["desired"]?["prod"]?["version"] == "v1.1.0")
        for words in [["models"], ["model", "m"], ["doctor"]] {
            let seen = try await project.sandbox.run("git", ["ml"] + words, in: "work")
            #expect(seen.text.contains("m#prod: by date v1.0.0 (m#prod#1) is in the stage"), "\(words)")
        }
    }

    @Test func `get brings a model by its stage, here and from a repository without a clone`() async throws {
        let project = try await project()
        try await project.sh(
            "git ml register m HEAD~2 --push && git ml stage m prod --push && git ml register m --push")
        let own = try await project.ml("get", "m#prod", "--to", "/dev/null/x")
        #expect(own.status == 1)
        _ = try await project.ml("get", "m#prod", "--to", "../here.bin")
        #expect(try project.text("here.bin") == "a model")
        let away = try await project.ml("get", "../remote.git", "m#prod", "--json", in: "work/models/..")
        #expect(away.status == 0, "\(away)")
        let seen = try JSON.parse(away.output)
        #expect(seen["model"] == "m" && seen["version"] == "v1.0.0" && seen["stage"] == "prod" && seen["files"] == 1)
        #expect(try project.text("work/m.bin") == "a model")
        _ = try await project.ml("get", "remote.git", "m@latest", "--to", "latest.bin", in: "")
        #expect(try project.text("latest.bin") == "a third model")
        let none = try await project.ml("get", "remote.git", "m#staging", in: "")
        #expect(none.status == 3 && none.errors.contains("nothing of m is in the stage"), "\(none)")
        let unknown = try await project.ml("get", "remote.git", "x#prod", in: "")
        #expect(unknown.status == 3, "\(unknown)")
        #expect(try await project.ml("get", "remote.git", in: "").status == 64)
    }

    @Test func `doctor lists tags that almost keep to the grammar, and other commands pass over them`() async throws {
        let project = try await project()
        try await project.sh(
            """
            git ml register m
            for name in 'm@1.0.0' 'm@v1.2' 'm#prod#x' 'm#-x' 'm@deprecated!' '$(touch${IFS}oops)@v1.0.0' '-x=m#prod'; do
                git update-ref "refs/tags/$name" $(git rev-parse 'm@v1.0.0')
            done
            git tag 'm#prod#1'
            git tag -a -m x 'm#tree#2' 'HEAD^{tree}'
            git update-ref 'refs/tags/m@v9.9.9' $(git rev-parse 'm@v1.0.0')
            """)
        let doctor = try await project.ml("doctor")
        #expect(doctor.status == 1)
        for line in [
            "MEND tag m@1.0.0: “1.0.0” is no version", "MEND tag m@v1.2: “v1.2” is no version",
            "MEND tag m#prod#x: “x” is no counter", "MEND tag m#-x: “-x” is no name of a stage",
            "MEND tag m@deprecated!: a deprecation is not taken back",
            "note tag $(touch${IFS}oops)@v1.0.0: “$(touch${IFS}oops)” is no name of a model", "note tag -x=m#prod: ",
            "MEND tag m#prod#1: it is a light tag; mend it with `git tag -a -f -m",
            "MEND tag m#tree#2: it is on a tree, not on a commit",
            "MEND tag m@v9.9.9: its object says that it is m@v1.0.0",
        ] { #expect(doctor.output.contains(line), "\(line) in \(doctor.output)") }
        let models = try await project.ml("models", "--json")
        #expect(models.status == 0 && models.errors == "")
        let model = try #require(try json(models.output).first)
        #expect(model["stages"] == [:])
        // The light tag's number is taken all the same.
        #expect(try await project.ml("stage", "m", "prod", "v1.0.0").output.contains("m#prod#3"))
        #expect(try project.text("work/oops") == nil)
    }

    @Test func `a tag whose commit is missing in a shallow clone is told of`() async throws {
        let project = try await project()
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
        #expect(try json(models.output).first?["latest"]?["version"] == "v1.0.0")
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

/// Reads the digest out of a pointer's text.
private enum Pointerlike {
    static func digest(_ text: String) throws -> String {
        try #require(text.split(separator: "\n").first { $0.hasPrefix("oid ") }.map { String($0.dropFirst(4)) })
    }
}
