import Base
import SystemPackage
import TestSupport
import Testing

/// Datasets with `data.link` in `ml.yaml`.
struct DatasetLinkTests {
    private static let kinds = ["hardlink": "f 444 2", "symlink": "l 777 1"]

    /// `work` with the dataset `d` (files a, b, c) on `main`, pushed, and a branch `side` that changes b, adds s, takes c out.
    private func branches(_ link: String) async throws -> Project {
        let project = try await Project.withRemote()
        try project.write("work/ml.yaml", "version: 1\ndata: {link: \(link)}\n")
        try await project.sh(
            """
            mkdir d && for i in a b c; do echo $i > d/$i; done; printf '#!/bin/sh\\n' > d/run; chmod 755 d/run
            git ml add --dataset d && git add . && git commit -qm one && git branch -M main
            git checkout -q -b side
            rm d/b; echo side > d/b; echo new > d/s; rm d/c
            git ml add --dataset d && git commit -qm side && git push -q origin main side
            """)
        return project
    }

    private func forms(_ project: Project, in folder: String) async throws -> String {
        try await project.sh("find d -type d -o -printf '%f %y %m %n\\n' | LC_ALL=C sort", in: folder)
    }

    private func lines(_ names: String, _ link: String) -> String {
        names.map { "\($0) \(Self.kinds[link] ?? "")\n" }.joined() + "run f 755 1\n"
    }

    @Test(arguments: ["hardlink", "symlink"])
    func `a clone has its datasets as links, through switches, merges and other work trees`(link: String) async throws {
        let project = try await branches(link)
        try await project.sh("git clone -q -b main remote.git other && cd other && git ml init && git ml pull", in: "")
        #expect(try await forms(project, in: "other") == lines("abc", link))
        let clean = try await project.ml("status", in: "other")
        #expect(clean == Seen(status: 0, output: "All data is here and unchanged.\n", errors: ""))
        try await project.sh("git ml add --dataset d; test -z \"$(git status --porcelain)\"", in: "other")

        let followed = try await project.sandbox.run("git", ["checkout", "-q", "side"], in: "other")
        #expect(followed.status == 0 && followed.errors == "")
        let side = try await project.sh("cat d/a d/b d/s", in: "other")
        #expect(side == "a\nside\nnew\n")
        #expect(try await forms(project, in: "other").split(separator: "\n").count == 4)

        try await project.sh(
            """
            git checkout -q main; rm d/a; echo mine > d/a; git ml add --dataset d; git commit -qm mine
            git merge -q -m merged side
            """, in: "other")
        let merged = try await project.sh("cat d/a d/b d/s; test ! -e d/c; git ml status", in: "other")
        #expect(merged == "mine\nside\nnew\nAll data is here and unchanged.\n")

        // Of hard links each work tree has one more; the file is one.
        try await project.sh("git worktree add -q ../third HEAD", in: "other")
        let shared = try await project.sh(
            "test other/d/b -ef third/d/b && test other/d/s -ef third/d/s && cat third/d/a", in: "")
        #expect(shared == "mine\n")
        let both = try await project.sh("git ml status; cd ../third; git ml status", in: "other")
        #expect(both == "All data is here and unchanged.\nAll data is here and unchanged.\n")
    }

    @Test(arguments: ["hardlink", "symlink"])
    func `prune takes the unpacked files that nothing is a link to any more`(link: String) async throws {
        let project = try await branches(link)
        try await project.sh("git clone -q -b main remote.git other && cd other && git ml init && git ml pull", in: "")
        try await project.sh("git checkout -q side && git checkout -q main && git ml checkout", in: "other")
        let unpacked = "find .git/ml/cache/unpacked -type f | grep -v incoming | wc -l"
        #expect(try await project.sh(unpacked, in: "other") == "5\n")
        try await project.sh("git ml prune --days 0 --grace 0", in: "other")
        #expect(try await project.sh(unpacked, in: "other") == "3\n")
        #expect(try await project.sh("cat d/a d/b d/c; git ml status", in: "other").hasSuffix("unchanged.\n"))
        try await project.sh("git checkout -q side && git ml pull", in: "other")
        #expect(try await project.sh("cat d/a d/b d/s", in: "other") == "a\nside\nnew\n")
    }

    @Test func `a setting that changes holds from the next checkout on, and a lost cache is made anew`() async throws {
        let project = try await branches("symlink")
        try await project.sh("git checkout -q main; git ml checkout")
        #expect(try await forms(project, in: "work") == lines("abc", "symlink"))
        try await project.sh("rm -r .git/ml/cache/unpacked")
        let refused = try await project.ml("add", "--dataset", "d")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("hint: `git ml checkout d` makes the links of the dataset anew"))
        try await project.sh("git ml checkout; cat d/a; test -z \"$(git status --porcelain)\"")
        try project.write("work/ml.yaml", "version: 1\n")
        let copied = try await project.ml("checkout", "d")
        #expect(copied == Seen(status: 0, output: "d: wrote 3 file(s), 6 B\n", errors: ""))
        #expect(try await forms(project, in: "work") == "a f 644 1\nb f 644 1\nc f 644 1\nrun f 755 1\n")
    }

    @Test func `an imported dataset is links as well`() async throws {
        let project = try await branches("symlink")
        try await project.sh(
            """
            git init -q -b main third; cd third; git ml init; cp ../work/ml.yaml .
            git ml import ../remote.git d --rev main
            """, in: "")
        #expect(try await forms(project, in: "third") == lines("abc", "symlink"))
    }
}
