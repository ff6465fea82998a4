import Base
import SystemPackage
import TestSupport
import Testing

/// Every kind of repository that git knows: a commit is recorded in it and read again, and nothing of the user's
/// changes.
struct RepositoryKindsTests {
    /// Commits an experiment in a folder of the project and reads it with every command that does.
    ///
    /// `prefix` is put before each `git`: variables of the environment.
    private func checkRecording(_ project: Project, in folder: String, prefix: String = "") async throws {
        try await project.sh(
            """
            export \(prefix.isEmpty ? "NOTHING=" : prefix)
            echo kept > other; git add other
            printf '{"auc":0.75}' > metrics.json; printf 'lr: 0.5\\n' > params.yaml
            git add metrics.json params.yaml; echo changed >> other
            git commit -qm experiment 2> errors.log; cat errors.log; test ! -s errors.log; rm errors.log
            test "$(git status --porcelain)" = " M other"; git checkout -q -- other
            test -z "$(git status --porcelain)"
            git ml runs --all --json | grep '"auc":0.75' | grep -q '"lr":"0.5"'
            git ml log | grep -q 0.75
            git ml show HEAD | grep -q 0.5
            git fsck 2>&1 | grep -v -e '^dangling' -e '^Checking' -e '^notice: HEAD' && exit 1
            test -z "$(git status --porcelain)"
            """, in: folder)
    }

    private func setUp(_ project: Project, _ folder: String = "work") async throws {
        let seen = try await project.ml("init", in: folder)
        #expect(seen.status == 0, "\(seen)")
        try await project.sh("git add . && (git diff --cached --quiet || git commit -qm set-up)", in: folder)
    }

    /// A remote with one recorded run and some files.
    private func remote(_ project: Project) async throws {
        try await project.sandbox.repository("origin")
        try await setUp(project, "origin")
        try await project.sh(
            """
            mkdir -p docs src; echo one > docs/a; echo two > src/b; git add .; git commit -qm files
            printf '{"auc":0.25}' > metrics.json; git add .; git commit -qm first-run
            printf '{"auc":0.26}' > metrics.json; git add .; git commit -qm second-run
            git config uploadpack.allowFilter true; git config uploadpack.allowAnySHA1InWant true
            """, in: "origin")
    }

    @Test(arguments: ["--object-format=sha256", "--ref-format=reftable"])
    func `objects named by SHA-256, and refs in tables`(option: String) async throws {
        let project = try Project()
        let made = try await project.sandbox.run("git", ["init", "-q", "-b", "main", option, "work"])
        guard made.status == 0 else { return #expect(option == "--ref-format=reftable", "\(made.errors)") }
        try await setUp(project)
        try await checkRecording(project, in: "work")
        try await project.sh(
            """
            git commit -q --amend -m reworded; test "$(git ml runs --all --json | wc -l)" = 1
            git init -q --bare \(option) ../remote.git; git remote add origin ../remote.git; git push -q -u origin main
            git -C ../remote.git rev-parse -q --verify refs/notes/ml/runs
            git clone -q ../remote.git ../other; cd ../other; git ml init; git ml runs --all --json | grep '"auc":0.75'
            printf '{"auc":0.8}' > metrics.json; git add .; git commit -qm theirs; git push -q origin main
            cd ../work; git pull -q; git ml runs --all --json | grep '"auc":0.8'; git fsck
            git rebase -q --root --force-rebase; git ml log | grep 0.75
            """)
    }

    @Test func `a linked work tree, and a detached HEAD in it`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        try await setUp(project)
        try await project.sh("git worktree add -q --detach '../side tree'")
        try await checkRecording(project, in: "side tree")
        let runs = try await project.ml("runs", "--all", "--json").output
        #expect(runs.contains(#""auc":0.75"#))
        try await project.sh("git worktree add -q -b side ../side && cd ../side && mkdir deep")
        try await checkRecording(project, in: "side/deep/..")
    }

    @Test func `a submodule`() async throws {
        let project = try Project()
        try await remote(project)
        try await project.sandbox.repository()
        try await project.sh("git submodule --quiet add ../origin part && git commit -qm part")
        try await setUp(project, "work/part")
        try await checkRecording(project, in: "work/part")
        let outer = try await project.sh("git status --porcelain; ls .git/ml 2>/dev/null || true")
        #expect(outer == " M part\n")
    }

    @Test func `a repository folder of its own, elsewhere`() async throws {
        let project = try Project()
        try await project.sh("git init -q -b main --separate-git-dir repository work", in: "")
        try await setUp(project)
        try await checkRecording(project, in: "work")
        #expect(Files.exists(project.path.appending("repository/hooks/post-commit")))
    }

    @Test func `a shallow clone`() async throws {
        let project = try Project()
        try await remote(project)
        try await project.sh("git clone -q --depth 1 file://\(project.path)/origin work", in: "")
        try await setUp(project)
        try await checkRecording(project, in: "work")
        let log = try await project.ml("log")
        #expect(log.output.contains("0.26"), "\(log)")
        try await project.sh(
            "git push -q origin HEAD:refs/heads/new && git fetch -q --unshallow && git ml log | grep 0.25")
    }

    @Test func `a partial clone fetches what it lacks, and says what it cannot fetch`() async throws {
        let project = try Project()
        try await remote(project)
        try await project.sh("git clone -q --filter=blob:none file://\(project.path)/origin work", in: "")
        try await setUp(project)
        try await checkRecording(project, in: "work")
        // A blob of an older commit is not here; without its remote it cannot be read.
        let digest = try await project.sh("git rev-parse HEAD~2:metrics.json; mv ../origin ../away")
        let missing = try await project.sh("git rev-list --objects --all --missing=print | grep '^?' || true")
        #expect(missing.contains(digest.trimmingTrailingSpace))
        let seen = try await project.ml("diff", "HEAD~2", "HEAD")
        #expect(seen.status != 70, "\(seen)")
        try await project.sh(
            #"printf '{"auc":0.1}' > metrics.json; git commit -qam offline; git ml log | grep 0.1"#)
    }

    @Test func `a sparse checkout with a split index`() async throws {
        let project = try Project()
        try await remote(project)
        try await project.sh("git clone -q origin work", in: "")
        try await setUp(project)
        try await project.sh("git sparse-checkout set docs && git update-index --split-index && test ! -e src")
        try await checkRecording(project, in: "work")
        try await project.sh("test ! -e src && ls .git/sharedindex.*")
    }

    @Test func `a bare repository is read`() async throws {
        let project = try Project()
        try await remote(project)
        try await project.sh("git clone -q --mirror origin bare.git", in: "")
        for options in [[], ["-c", "safe.bareRepository=explicit"]] {
            for environment in [[:], ["GIT_DIR": project.path.appending("bare.git").string]] as [[String: String?]] {
                if environment.isEmpty, !options.isEmpty { continue }
                let result = try await project.sandbox.run(
                    "git", options + ["ml", "runs", "--all", "--json"], in: "bare.git", environment: environment)
                #expect(result.text.contains(#""auc":0.26"#), "\(result.errors)")
            }
        }
        let log = try await project.ml("log", in: "bare.git")
        #expect(log.output.contains("0.25"), "\(log)")
        let fsck = try await project.sh("git fsck 2>&1", in: "bare.git")
        #expect(fsck == "" || fsck.hasPrefix("Checking"))
    }

    @Test func `GIT_DIR and GIT_WORK_TREE in the environment`() async throws {
        let project = try Project()
        try await project.sh(
            "git init -q -b main --bare store && git -C store config core.bare false && mkdir work", in: "")
        let prefix = "GIT_DIR=\(project.path)/store GIT_WORK_TREE=\(project.path)/work"
        try await project.sh("export \(prefix); git ml init; git add .; git commit -qm set-up")
        try await checkRecording(project, in: "work", prefix: prefix)
        // Without GIT_WORK_TREE the current folder is the top.
        try await checkAgain(project, "export GIT_DIR=../store")
    }

    private func checkAgain(_ project: Project, _ line: String) async throws {
        try await project.sh(
            """
            \(line)
            printf '{"auc":0.6}' > metrics.json; git add .; git commit -qm again
            git ml runs --all --json | grep '"auc":0.6'; git ml doctor | grep 'ml.yaml can be read'
            test -z "$(git status --porcelain)"
            """)
    }

    @Test func `a repository inside of another`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        try await setUp(project)
        try await project.sandbox.repository("work/inner")
        try await setUp(project, "work/inner")
        try await checkRecording(project, in: "work/inner")
        let outer = try await project.ml("runs", "--all", "--json")
        #expect(outer.output == "")
    }

    @Test(arguments: ["a b", "näive 数据", "quo'te \"$x\" `id` %s", "-dash", "semi;colon & (paren) [x] #1", "tab\there"])
    func `a path of odd characters`(name: String) async throws {
        let project = try Project()
        try Files.makeDirectory(project.path.appending(name))
        try await project.sh("git init -q -b main", in: name)
        try await setUp(project, name)
        try await checkRecording(project, in: name)
    }

    @Test func `no HOME, no name and a strict umask`() async throws {
        let project = try Project()
        try await project.sh(
            """
            unset HOME XDG_CONFIG_HOME; umask 077
            git init -q -b main .; git ml init
            export EMAIL=a@b
            git add .; git commit -qm set-up; printf '{"auc":0.75}' > metrics.json; git add .; git commit -qm experiment
            git ml runs --all --json | grep '"auc":0.75'
            test -z "$(find .git/ml .git/objects .git/refs/notes -perm /077 -type f)"
            git fsck; test -z "$(git status --porcelain)"
            """, in: "")
    }

    @Test func `gc, repack and pack-refs while a commit is recorded lose no run`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        try await setUp(project)
        // git's own commit can break beside `gc --prune=now`: it is made before, and recorded beside.
        let count = try await project.sh(
            """
            git config gc.reflogExpire never; git config gc.reflogExpireUnreachable never  # the sandbox's time is 2023
            for i in $(seq 12); do
              printf '{"auc":0.%s}' $i > metrics.json; git add metrics.json
              git -c core.hooksPath=/dev/null commit -qm $i
              (git gc -q --prune=now; git pack-refs --all; git repack -qad) 2>>../gc.log &
              git-ml hook post-commit 2>>../errors.log
              wait
            done
            git fsck >&2; git ml runs --all --json | wc -l
            """)
        #expect(count.trimmingTrailingSpace == "12")
        #expect(try project.text("errors.log") == "")
    }
}
