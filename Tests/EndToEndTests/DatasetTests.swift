import Base
import SystemPackage
import TestSupport
import Testing

struct DatasetTests {
    /// `work` with a dataset `data/images` of 40 files that is committed and pushed.
    private func pushed() async throws -> Project {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            mkdir -p data/images/cat data/images/dog
            for i in $(seq 20); do echo "cat $i" > data/images/cat/$i; echo "dog $i" > data/images/dog/$i; done
            git ml add --dataset data/images
            git add . && git commit -qm data && git push -q origin HEAD:main
            """)
        return project
    }

    @Test func `a dataset travels with git push, clone and pull`() async throws {
        let project = try await pushed()
        let listed = try await project.sh("git ls-files")
        #expect(
            listed.split(separator: "\n").filter { $0.contains("data") } == ["data/.gitignore", "data/images.dataset"])
        #expect(try await project.sh("git status --porcelain") == "")
        let clean = try await project.ml("status")
        #expect(clean == Seen(status: 0, output: "All data is here and unchanged.\n", errors: ""))
        let objects = try await project.sh("git ls-tree -r --name-only refs/ml/objects | wc -l", in: "remote.git")
        #expect(objects.trimmingTrailingSpace == "3")

        try await project.sh("git clone -q -b main remote.git other && cd other && git ml init", in: "")
        let pulled = try await project.ml("pull", in: "other")
        #expect(pulled.status == 0)
        #expect(try await project.sh("diff -r work/data/images other/data/images", in: "") == "")
        let again = try await project.ml("pull", in: "other")
        #expect(again == Seen(status: 0, output: "All data is here.\n", errors: ""))
        let list = try await project.ml("ls", "--json", in: "other")
        let line = try JSON.parse(list.output)
        #expect(line["path"]?.string == "data/images")
        #expect(line["kind"]?.string == "dataset")
        #expect(line["present"] == true)
    }

    @Test func `a push stops before any ref moves when a pack is nowhere`() async throws {
        let project = try await pushed()
        try await project.sh(
            """
            echo new > data/images/new && git ml add --dataset data/images && git commit -qam more
            find .git/ml/objects -type f -newer data/images/new -path '*/??/??/*' -delete
            """)
        let before = try await project.sh("git rev-parse main", in: "remote.git")
        let push = try await project.sandbox.run("git", ["push", "-q", "origin", "HEAD:main"], in: "work")
        #expect(push.status != 0)
        #expect(push.errors.contains("data/images.dataset"))
        #expect(try await project.sh("git rev-parse main", in: "remote.git") == before)
    }

    @Test func `status, diff and checkout speak of single files`() async throws {
        let project = try await pushed()
        try await project.sh("echo more > data/images/new; echo other > data/images/cat/1; rm data/images/dog/2")
        let status = try await project.ml("status")
        #expect(
            status.output == """
                data/images: 1 added, 1 changed, 1 removed
                  added    data/images/new
                  changed  data/images/cat/1
                  removed  data/images/dog/2
                `git ml add --dataset data/images` keeps it, `git ml checkout data/images` brings back what was removed.

                """)
        let checkout = try await project.ml("checkout", "data/images")
        #expect(checkout.status == 1)
        #expect(checkout.errors.contains("data/images/cat/1"))
        #expect(try project.text("work/data/images/cat/1") == "other\n")
        #expect(try project.text("work/data/images/dog/2") == "dog 2\n")
        let forced = try await project.ml("checkout", "--force", "data/images")
        #expect(forced.status == 0)
        #expect(try project.text("work/data/images/cat/1") == "cat 1\n")
    }

    @Test func `a pull by pattern brings a part, and the next pull the same part`() async throws {
        let project = try await pushed()
        try await project.sh("git clone -q -b main remote.git other && cd other && git ml init", in: "")
        try await project.sh("rm -rf data/images", in: "other")
        let pull = try await project.ml("pull", "data/images", "--include", "cat/*", in: "other")
        #expect(pull.output == "data/images: wrote 20 file(s), 131 B\n")
        #expect(!Files.exists(project.path.appending("other/data/images/dog")))
        let again = try await project.ml("pull", in: "other")
        #expect(again.output == "All data is here.\n")
        let clean = try await project.ml("status", in: "other")
        #expect(clean.output == "All data is here and unchanged.\n")
        _ = try await project.ml("pull", "--all", in: "other")
        #expect(try await project.sh("diff -r work/data/images other/data/images", in: "") == "")
    }

    @Test func `git merges datasets path by path, and names the paths that both sides changed`() async throws {
        let project = try await pushed()
        try await project.sh(
            """
            git checkout -q -b side
            echo side > data/images/side; echo side > data/images/cat/1
            git ml add --dataset data/images && git commit -qm side
            git checkout -q - && git ml checkout --force
            echo main > data/images/main
            git ml add --dataset data/images && git commit -qm main
            git merge -q -m merged side && git ml checkout
            """)
        #expect(try project.text("work/data/images/side") == "side\n")
        #expect(try project.text("work/data/images/main") == "main\n")
        #expect(try project.text("work/data/images/cat/1") == "side\n")

        try await project.sh(
            """
            git checkout -q -b third && echo third > data/images/cat/1
            git ml add --dataset data/images && git commit -qm third
            git checkout -q - && git ml checkout --force
            echo ours > data/images/cat/1 && git ml add --dataset data/images && git commit -qm ours
            """)
        let merge = try await project.sandbox.run("git", ["merge", "third"], in: "work")
        #expect(merge.status == 1)
        #expect(merge.errors.contains("CONFLICT: data/images/cat/1"))
        try await project.sh("git ml add --dataset data/images && git commit -qm resolved")
        #expect(try project.text("work/data/images/cat/1") == "ours\n")
    }

    @Test func `a folder whose files git keeps is refused with the command that hands them over`() async throws {
        let project = try await Project.withRemote()
        try await project.sh("mkdir -p d && echo x > d/x && git add d && git commit -qm x")
        let refused = try await project.ml("add", "--dataset", "d")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("git rm -r --cached d"))
        try await project.sh("git rm -rq --cached d")
        let added = try await project.ml("add", "--dataset", "d")
        #expect(added.status == 0)
    }

    @Test(arguments: [("missing", 3), ("../outside", 1), (".git", 1)])
    func `what is no folder of the work tree is refused`(path: String, status: Int32) async throws {
        let project = try await Project.withRemote()
        let seen = try await project.ml("add", "--dataset", path)
        #expect(seen.status == status)
        #expect(try await project.sh("git status --porcelain | grep dataset || true") == "")
    }
}
