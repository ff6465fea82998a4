import Base
import SystemPackage
import TestSupport
import Testing

extension Project {
    /// `work` with a remote and two data files that have been committed and pushed.
    static func withData() async throws -> Project {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            git checkout -q -b main
            mkdir data && printf 'one' > data/a.bin && printf 'two' > data/b.bin
            git ml add data && git add . && git commit -qm data && git push -q -u origin main
            """)
        return project
    }
}

/// Data as files, as a person uses it, beside the stock git-lfs.
struct DataTests {
    private func clone(_ project: Project) async throws {
        try await project.sh("GIT_LFS_SKIP_SMUDGE=1 git clone -q remote.git clone && cd clone && git ml init", in: "")
    }

    @Test func `files are added with their tracking, and git-lfs finds nothing wrong`() async throws {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            mkdir -p data/sub && printf x > data/a.bin && : > data/empty && printf y > data/sub/run.sh
            chmod +x data/sub/run.sh && echo skip > data/no.tmp && echo '*.tmp' > .gitignore && ln -s a.bin data/link
            printf 1 > "$(printf 'data/line\\nquote\\"')" && printf 2 > "$(printf 'data/\\377')"
            printf 3 > "data/$(printf 'n%.0s' $(seq 255))"
            """)
        let seen = try await project.ml("add", "data")
        #expect(
            seen
                == Seen(
                    status: 0,
                    output: """
                        tracking data/**
                        added 5 file(s), 5 B
                        git itself keeps 1 file(s)

                        """, errors: ""))
        let lfs = try await project.sh(
            "git commit -qm data && git lfs fsck && git ls-files -s data/empty data/link data/sub | cut -c1-6")
        #expect(lfs == "Git LFS fsck OK\n100644\n120000\n100755\n")
        let status = try await project.sh("sleep 1.1; git status --porcelain data")
        #expect(status == "")
    }

    @Test func `what cannot be added changes nothing`() async throws {
        let project = try await Project.withRemote()
        try await project.sh("mkdir data && printf x > data/a && echo '*.tmp' > .gitignore && echo y > b.tmp")
        let nothing = try await project.ml("add", "nothing")
        #expect(nothing == Seen(status: 3, output: "", errors: "error: “nothing” matches no files\n"))
        let ignored = try await project.ml("add", "b.tmp")
        #expect(ignored.status == 1 && ignored.errors.hasPrefix("error: b.tmp is ignored by a .gitignore\n"))
        let outside = try await project.ml("add", "/etc/passwd")
        #expect(outside.status == 1 && outside.errors.hasPrefix("error: /etc/passwd is outside"))
        let index = try await project.sh("git ls-files")
        #expect(index == "")
    }

    @Test func `status tells of changes, and of pointers that wait for content`() async throws {
        let project = try await Project.withData()
        let clean = try await project.ml("status")
        #expect(clean == Seen(status: 0, output: "All data is here and unchanged.\n", errors: ""))
        try await project.sh("echo more >> data/a.bin && printf new > data/c.bin && rm data/b.bin")
        let changed = try await project.ml("status")
        #expect(
            changed.output == """
                state      size  file
                changed    3 B   data/a.bin
                removed    3 B   data/b.bin
                untracked        data/c.bin
                `git ml add PATH` adds what is new.

                """)
        try await clone(project)
        try await project.sh(
            "rm -r .git/lfs/objects data && GIT_LFS_SKIP_SMUDGE=1 git checkout -q -- data", in: "clone")
        let missing = try await project.ml("status", "--json", in: "clone")
        #expect(missing.output.split(separator: "\n").count == 2)
        #expect(missing.output.contains(#"{"path":"data/a.bin","state":"missing","oid":"sha256:"#))
    }

    @Test func `pull brings what patterns ask for, checkout what is here`() async throws {
        let project = try await Project.withData()
        try await clone(project)
        try await project.sh(
            "rm -r .git/lfs/objects data && GIT_LFS_SKIP_SMUDGE=1 git checkout -q -- data", in: "clone")
        let one = try await project.ml("pull", "--include", "*a.bin", in: "clone")
        #expect(one == Seen(status: 0, output: "brought 1 data file(s)\n", errors: ""))
        let fetched = try await project.ml("fetch", in: "clone")
        #expect(fetched.output == "fetched 1 object(s), 3 B\n")
        let before = try project.text("clone/data/b.bin") ?? ""
        #expect(before.hasPrefix("version https://git-lfs"))
        let checkedOut = try await project.ml("checkout", "data/b.bin", in: "clone")
        #expect(checkedOut == Seen(status: 0, output: "checked out 1 data file(s)\n", errors: ""))
        let text = try await project.sh("cat data/*; git status --porcelain data", in: "clone")
        #expect(text == "onetwo")
    }

    @Test func `a checkout brings files side by side, and one that is lost stays a pointer with one line`() async throws
    {
        let project = try await Project.withData()
        try await clone(project)
        let oid = Digest.of("two").hex
        try await project.sh(
            "find remote.git/lfs -name \(oid) -delete && rm -r clone/.git/lfs/objects clone/data", in: "")
        let result = try await project.sandbox.run("git", ["checkout", "--", "data"], in: "clone")
        #expect(result.status == 0)
        #expect(result.errors.split(separator: "\n").count { $0.hasPrefix("git-ml: data/b.bin stays a pointer") } == 1)
        let text = try await project.sh("cat data/a.bin; git status --porcelain data", in: "clone")
        #expect(text == "one")
    }

    @Test func `ls shows oid, size and presence of the index and of a revision`() async throws {
        let project = try await Project.withData()
        try await project.sh("git rm -q --cached data/b.bin")
        let index = try await project.ml("ls", "--json")
        let oid = Digest.of("one").description
        #expect(
            index.output
                == "{\"path\":\"data/a.bin\",\"kind\":\"file\",\"oid\":\"\(oid)\",\"size\":3,\"present\":true}\n")
        let head = try await project.ml("ls", "--revision", "HEAD", "data/b.bin")
        #expect(head.output.contains("data/b.bin") && !head.output.contains("data/a.bin"))
    }

    @Test func `fsck puts damaged content aside and brings it again`() async throws {
        let project = try await Project.withData()
        let oid = Digest.of("one").hex
        try await project.sh("chmod u+w .git/lfs/objects/*/*/\(oid); printf 0ne > $(find .git/lfs -name \(oid))")
        let found = try await project.ml("fsck", "--dry-run")
        #expect(found.status == 5 && found.output.hasPrefix("damaged: \(oid): its bytes do not match its name"))
        let repaired = try await project.ml("fsck")
        #expect(repaired.status == 0 && repaired.output.hasSuffix("All pointers and content are right.\n"))
        let text = try await project.sh("cat $(find .git/lfs/objects -name \(oid)) .git/lfs/bad/\(oid)")
        #expect(text == "one0ne")
    }

    @Test func `prune deletes only what is old, unnamed and at the remote`() async throws {
        let project = try await Project.withData()
        try await project.sh(
            "printf local > data/l.bin && git ml add data/l.bin && git rm -q --cached data/l.bin data/b.bin")
        try await project.sh(
            "GIT_COMMITTER_DATE='1000000000 +0000' git commit -qm gone && git reflog expire --all --expire=now")
        let young = try await project.ml("prune", "--days", "0")
        #expect(young.output == "Nothing to delete.\n")
        let old = try await project.ml("prune", "--days", "0", "--grace", "0")
        #expect(old.output == "deleted 1 object(s), 3 B\nkept 1 object(s) that the remote does not have\n")
        let kept = try await project.sh("find .git/lfs/objects -type f | wc -l")
        #expect(kept.trimmingTrailingSpace == "2")
    }

    @Test func `a large file is stopped at commit with the command that helps`() async throws {
        let project = try await Project.withRemote()
        try project.write("work/ml.yaml", "version: 1\ndata: {warn_above: 10kB}\n")
        try await project.sh("head -c 20000 /dev/zero > big.dat && git add big.dat")
        let commit = try await project.sandbox.run("git", ["commit", "-qm", "big"], in: "work")
        #expect(commit.status == 1)
        #expect(commit.errors.contains("git-ml: run `git rm --cached --quiet -- big.dat && git ml add big.dat`"))
        try await project.sh("git rm --cached --quiet -- big.dat && git ml add big.dat && git commit -qm big")
        let tree = try await project.sh("git cat-file -s HEAD:big.dat")
        #expect(tree.trimmingTrailingSpace == "130")
    }

    @Test func `migrate makes pointers of past files and takes it back, tags included`() async throws {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            mkdir d && echo a1 > d/a.csv && git add d && git commit -qm one && git tag -a -m v1 v1
            printf 'x' > "$(printf 'bad\\377.txt')" && echo a2 > d/a.csv && git add . && git commit -qm two
            """)
        let before = try await project.sh("git rev-parse v1:d/a.csv HEAD:d/a.csv")
        try await project.sh("echo dirty >> d/a.csv")
        let dirty = try await project.ml("migrate", "import", "--include", "*.csv")
        #expect(dirty.status == 1)
        try await project.sh("git checkout -q d/a.csv")
        let rewritten = try await project.ml("migrate", "import", "--include", "*.csv", "--everything")
        #expect(rewritten.output.hasSuffix("rewrote 2 commit(s)\n"))
        let lfs = try await project.sh(
            "git lfs fsck && git lfs ls-files --all | wc -l && git show v1:d/a.csv | head -1")
        #expect(lfs == "Git LFS fsck OK\n2\nversion https://git-lfs.github.com/spec/v1\n")
        let work = try await project.sh("cat d/a.csv; git status --porcelain; git ls-files | grep -c bad")
        #expect(work == "a2\n1\n")
        _ = try await project.ml("migrate", "export", "--include", "*.csv", "--everything")
        let after = try await project.sh("git rev-parse v1:d/a.csv HEAD:d/a.csv")
        #expect(after == before)
    }

    @Test func `a full disk is told of, and nothing partial stays`() async throws {
        let project = try await Project.withRemote()
        try await project.sh(
            "mkdir store && git config lfs.storage \"$PWD/store\" && head -c 3000000 /dev/urandom > big.bin")
        let seen = try await project.sh(
            """
            echo 'mount -t tmpfs -o size=1m none store && { git ml add big.bin; echo "status $?"; find store -type f; }' > full.sh
            if unshare -m true 2>/dev/null; then unshare -m sh full.sh 2>&1; else unshare -rm sh full.sh 2>&1; fi
            """)
        #expect(seen.contains("no space left on device") && seen.contains("status 1"))
        #expect(!seen.split(separator: "\n").contains { $0.hasPrefix("store/") })
        let index = try await project.sh("git ls-files")
        #expect(index == "")
    }

    @Test func `linked work trees, SHA-256 repositories and a store elsewhere work alike`() async throws {
        let project = try Project()
        try await project.sh(
            """
            git init -q --object-format=sha256 work && cd work && git ml init
            git config lfs.storage ../shared && mkdir data && printf one > data/a.bin && git ml add data && git commit -qm one
            git worktree add -q ../tree
            """, in: "")
        let tree = try await project.sh("cat data/a.bin && git ml status && git lfs ls-files", in: "tree")
        #expect(tree == "oneAll data is here and unchanged.\n\(Digest.of("one").hex.prefix(10)) * data/a.bin\n")
        // A relative `lfs.storage` starts at git's folder, as git-lfs has it.
        let store = try await project.sh("find work/shared/objects -name '\(Digest.of("one").hex)' | wc -l", in: "")
        #expect(store.trimmingTrailingSpace == "1")
    }
}
