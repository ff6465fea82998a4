import Base
import SystemPackage
import TestSupport
import Testing

/// The folders of datasets go along with what git does to their pointers.
struct DatasetFollowTests {
    /// `work` on `main` with the dataset `d` (files a, b, c), and a branch `side` that changes b, adds s and takes c out.
    private func branches() async throws -> Project {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            mkdir d && for i in a b c; do echo $i > d/$i; done
            git ml add --dataset d && git add . && git commit -qm one && git branch -M main
            git checkout -q -b side
            echo side > d/b; echo new > d/s; rm d/c
            git ml add --dataset d && git commit -qm side
            """)
        return project
    }

    private func files(_ project: Project, in folder: String = "work") async throws -> String {
        try await project.sh("ls d 2>/dev/null | tr '\\n' ' '; cat d/b 2>/dev/null || true", in: folder)
    }

    private static let main = "a b c b\n"
    private static let side = "a b s side\n"

    @Test func `a switch of branches takes the folder along, and add then just works`() async throws {
        let project = try await branches()
        let back = try await project.sandbox.run("git", ["checkout", "-q", "main"], in: "work")
        #expect(back.status == 0)
        #expect(back.errors == "")
        #expect(try await files(project) == Self.main)
        try await project.sh("echo more > d/m; git ml add --dataset d; git commit -qm more; git switch -q side")
        #expect(try await files(project) == Self.side)
        #expect(try await project.ml("status").output == "All data is here and unchanged.\n")
        try await project.sh("git switch -q main")
        #expect(try project.text("work/d/m") == "more\n")
    }

    @Test func `a file that the user has changed is kept and named`() async throws {
        let project = try await branches()
        try await project.sh("echo mine > d/b; echo own > d/own")
        let seen = try await project.sandbox.run("git", ["checkout", "-q", "main"], in: "work")
        #expect(seen.status == 0)
        #expect(seen.errors == "git-ml: changes of yours stay as they are: d/b\n")
        #expect(try await files(project) == "a b c own mine\n")
    }

    @Test func `a branch without the dataset has no folder either, but for what is the user's`() async throws {
        let project = try await branches()
        try await project.sh("git checkout -q --orphan empty && git rm -rqf . && git commit -q --allow-empty -m empty")
        // Git tells no hook of an orphan; the next switch does.
        try await project.sh("git checkout -q main && git checkout -q empty")
        #expect(!Files.exists(project.path.appending("work/d")))
        try await project.sh("git checkout -q side")
        #expect(try await files(project) == Self.side)
        try await project.sh("echo mine > d/b && git checkout -q empty")
        #expect(try await files(project) == "b mine\n")
    }

    @Test func `a merge, a squash and a conflict end with the folder in place`() async throws {
        let project = try await branches()
        try await project.sh(
            "git checkout -q main; echo m > d/m; git ml add --dataset d; git commit -qm m; git tag before; git merge -q -m x side"
        )
        #expect(try await files(project) == "a b m s side\n")
        try await project.sh("git reset -q --hard before; git ml checkout --force; git merge -q --squash side")
        #expect(try await files(project) == "a b m s side\n")
        try await project.sh(
            "git reset -q --hard before; git ml checkout --force; echo ours > d/b; git ml add --dataset d; git commit -qm ours"
        )
        let merge = try await project.sandbox.run("git", ["merge", "side"], in: "work")
        #expect(merge.status == 1)
        #expect(merge.errors.contains("CONFLICT: d/b"))
        try await project.sh("git add d.dataset; git commit -qm resolved")
        #expect(try await files(project) == "a b m s ours\n")
    }

    @Test func `a rebase ends with the folder in place, and one that is given up leaves it alone`() async throws {
        let project = try await branches()
        try await project.sh(
            "git checkout -q main; echo m > d/m; git ml add --dataset d; git commit -qm m; git checkout -q side; git rebase -q main"
        )
        #expect(try await files(project) == "a b m s side\n")
        try await project.sh("git checkout -q main; git rebase -q side")
        #expect(try await files(project) == "a b m s side\n")
        try await project.sh("echo ours > d/b; git ml add --dataset d; git commit -qm ours")
        try await project.sh("git checkout -q side; echo theirs > d/b; git ml add --dataset d; git commit -qm theirs")
        let rebase = try await project.sandbox.run("git", ["rebase", "main"], in: "work")
        #expect(rebase.status != 0)
        #expect(try project.text("work/d/b") == "theirs\n")
        try await project.sh("git rebase --abort; git ml add --dataset d; test -z \"$(git status --porcelain)\"")
        #expect(try project.text("work/d/b") == "theirs\n")
    }

    @Test func `a cherry-pick and a new work tree have their folders`() async throws {
        let project = try await branches()
        try await project.sh("git checkout -q main; git cherry-pick side >/dev/null")
        #expect(try await files(project) == Self.side)
        try await project.sh("git worktree add -q ../second HEAD~1")
        #expect(try await files(project, in: "second") == Self.main)
    }

    @Test func `a pull brings what is new, and without the remote what is here is put in place`() async throws {
        let project = try await branches()
        try await project.sh(
            """
            git checkout -q main; git push -q origin main
            git clone -q -b main ../remote.git ../other; cd ../other; git ml init >/dev/null
            cd ../work; echo new > d/n; rm d/c; git ml add --dataset d; git commit -qm new; git push -q origin main
            """)
        #expect(try await files(project, in: "other") == Self.main)
        let skipped = try await project.sh("GIT_LFS_SKIP_SMUDGE=1 git pull -q 2>&1", in: "other")
        #expect(
            skipped.contains("not all is here of d: GIT_LFS_SKIP_SMUDGE is set; `git ml pull` brings it"), "\(skipped)")
        #expect(skipped.split(separator: "\n").count == 1)
        let refused = try await project.ml("add", "--dataset", "d", in: "other")
        #expect(refused.status == 1)
        _ = try await project.ml("pull", in: "other")
        #expect(try await files(project, in: "other") == "a b n b\n")
        try await project.sh("echo z > d/z; git ml add --dataset d; git commit -qm z; git push -q origin main")
        try await project.sh("git pull -q", in: "other")
        #expect(try await files(project, in: "other") == "a b n z b\n")
    }

    @Test func `of a state whose packs are not here the rest is put in place, and a pull completes it`() async throws {
        let project = try await branches()
        try await project.sh(
            """
            git push -q origin side
            # The manifest stays, the pack of what is new on side goes: b stays as main has it.
            git checkout -q main
            for f in $(find .git/ml/objects -type f -path '*/??/??/*'); do
              if head -c 8 $f | grep -q '^side'; then echo $f > ../gone; mv $f ../pack; fi
            done
            mv ../remote.git ../away
            """)
        let seen = try await project.sandbox.run("git", ["checkout", "-q", "side"], in: "work")
        #expect(seen.status == 0)
        #expect(seen.errors.contains("git-ml: not all is here of d: "), "\(seen.errors)")
        #expect(try await files(project) == "a b b\n")
        let refused = try await project.ml("add", "--dataset", "d")
        #expect(refused.status == 1)
        try await project.sh("mv ../away ../remote.git; git ml pull")
        #expect(try await files(project) == Self.side)
        #expect(try await project.sh("test -f $(cat ../gone) && echo here") == "here\n")
    }
}
