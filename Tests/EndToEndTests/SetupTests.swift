import Base
import SystemPackage
import TestSupport
import Testing

struct SetupTests {
    private func everything(_ project: Project) async throws -> String {
        try await project.sh(
            "cat .git/config .git/hooks/p* ml.yaml 2>/dev/null || true; ls -A . .git/hooks; git status --porcelain")
    }

    @Test func `init run again changes nothing, and init --remove takes all of it out`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        let before = try await project.sh("cat .git/config; ls .git/hooks")
        let first = try await project.ml("init")
        #expect(
            first
                == Seen(
                    status: 0,
                    output: """
                        installed the hook pre-commit
                        installed the hook post-commit
                        installed the hook post-checkout
                        installed the hook post-merge
                        installed the hook post-rewrite
                        installed the hook pre-push
                        set the options of filter, notes and fetch
                        wrote ml.yaml

                        """, errors: ""))
        let set = try await everything(project)
        let second = try await project.ml("init")
        #expect(second == Seen(status: 0, output: "Everything was in place.\n", errors: ""))
        let same = try await everything(project)
        #expect(same == set)

        let removed = try await project.ml("init", "--remove")
        #expect(removed.status == 0)
        let after = try await project.sh(
            "sed '/^\\[[a-z]* \".*\"\\]$/d; /^\\[filter/d; /^\\[notes/d' .git/config; ls .git/hooks")
        #expect(after == before)
        #expect(try project.text("work/ml.yaml") != nil)
    }

    @Test func `hooks that are there already still run, and come back when ours go`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        try await project.sh(
            """
            printf '#!/bin/sh\\necho theirs >> ../ran\\n' > .git/hooks/post-commit
            printf '#!/bin/sh\\necho "$1 $(cat)" >> ../ran\\nexit 7\\n' > .git/hooks/pre-push
            chmod +x .git/hooks/post-commit .git/hooks/pre-push
            git init -q --bare ../remote.git && git remote add origin ../remote.git
            """)
        let hook = try project.text("work/.git/hooks/post-commit")
        #expect(try await project.ml("init").status == 0)
        try await project.sh("printf '{\"auc\":0.9}' > metrics.json; git add .; git commit -qm second")
        #expect(try project.text("ran") == "theirs\n")
        let runs = try await project.ml("runs", "--json").output
        #expect(runs.contains(#""auc":0.9"#))
        let push = try await project.sandbox.run("git", ["push", "-q", "origin", "main"], in: "work")
        #expect(push.status != 0)
        #expect(try project.text("ran")?.contains("origin refs/heads/main") == true)
        #expect(try await project.ml("init", "--remove").status == 0)
        #expect(try project.text("work/.git/hooks/post-commit") == hook)
        let left = try await project.sh("ls .git/hooks | grep -v sample")
        #expect(left == "post-commit\npre-push\n")
    }

    @Test func `a copied folder is an install`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        try await project.sh(
            """
            mkdir -p ../else/bin ../else/share/git-ml
            cp '\(Places.programs)/git-ml' ../else/bin/
            cp -R '\(Places.package)/hooks' '\(Places.package)/templates' ../else/share/git-ml/
            """)
        let seen = try await project.sandbox.run(
            project.path.appending("else").appending("bin").appending("git-ml").string, ["init"], in: "work")
        #expect(seen.status == 0, "\(seen.errors)")
        let hook = try project.text("work/.git/hooks/pre-push")
        #expect(hook?.contains("/else/bin/git-ml") == true)
    }

    @Test func `doctor is content after init, and names each thing that is broken with its remedy`() async throws {
        let project = try await Project.withRemote()
        let good = try await project.ml("doctor")
        #expect(good.status == 0, "\(good)")
        try await project.sh("rm .git/hooks/post-commit; git config --unset filter.lfs.process; rm -rf ../remote.git")
        let bad = try await project.ml("doctor")
        #expect(bad.status == 1)
        for word in ["MEND hook post-commit", "filter.lfs.process", "data remote", "run `git ml init`"] {
            #expect(bad.output.contains(word), "\(bad)")
        }
        try await project.sh("git config core.hooksPath ../elsewhere")
        let hooks = try await project.ml("doctor")
        #expect(hooks.output.contains("MEND hook pre-push"))
    }

    @Test func `an amended commit carries its run over, and a rebase too`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        _ = try await project.ml("init")
        try await project.sh(
            """
            printf '{"auc":0.9}' > metrics.json; git add .; git commit -qm metrics
            git commit -q --amend -m 'metrics, better said'
            git checkout -q -b side HEAD~1; git commit -q --allow-empty -m side; git checkout -q main
            git rebase -q side
            """)
        let runs = try await project.ml("log", "--json").output.split(separator: "\n")
        #expect(runs.count == 1)
        #expect(runs.first?.contains(#""auc":0.9"#) == true)
    }

    @Test func `with a data remote of its own a plain git clone works where git-lfs is installed`() async throws {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            printf 'version: 1\ndata: {remote: file://%s/bucket}\n' '\(project.path)' > ml.yaml
            git ml init && git ml track '*.bin' && printf abc > a.bin
            git add . && git commit -qm data && git push -q -u origin main
            cd .. && git -c filter.lfs.process='git-lfs filter-process' -c filter.lfs.required=true clone -q remote.git plain
            cd plain && grep -q oid a.bin && git ml init && printf abc | cmp - a.bin && git ml doctor
            """)
        #expect(try project.text("work/.lfsconfig") == "[lfs]\n\tfetchexclude = *\n")
    }

    @Test func `a remote that is added after init gets its fetch options with the first push`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        _ = try await project.ml("init")
        try await project.sh(
            """
            git init -q --bare ../remote.git && git remote add origin ../remote.git
            printf '{"auc":0.9}' > metrics.json && git add . && git commit -qm x && git push -q -u origin main
            git ml doctor
            git clone -q ../remote.git ../other && cd ../other && git ml init && printf '{"auc":0.8}' > metrics.json
            git commit -qam y && git push -q && cd ../work && git pull -q
            """)
        let runs = try await project.ml("log", "--json").output.split(separator: "\n")
        #expect(runs.count == 2)
    }

    @Test func `init --bare in a work tree is refused and changes nothing`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        let before = try await everything(project)
        let seen = try await project.ml("init", "--bare", "--runner")
        #expect(seen.status == 1)
        #expect(seen.errors.contains("has a work tree"))
        let after = try await everything(project)
        #expect(after == before)
    }

    @Test func `git-lfs reads our pointers and bytes, and we read its`() async throws {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            git ml track '*.bin'
            head -c 300000 /dev/urandom > a.bin; git add .; git commit -qm data; git push -q -u origin main
            git lfs fsck && git lfs ls-files | grep a.bin
            """)
        try await project.sh(
            """
            git clone -q remote.git theirs 2>/dev/null && cd theirs && git lfs install --local >/dev/null && git lfs pull
            cmp a.bin ../work/a.bin
            head -c 200000 /dev/urandom > b.bin; git add .; git commit -qm more; git push -q origin main
            cd ../work && git pull -q && cmp b.bin ../theirs/b.bin && git status --porcelain | wc -l
            """, in: "")
    }
}
