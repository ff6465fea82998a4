import Base
import SystemPackage
import TestSupport
import Testing

/// What keeps recorded runs: forges, collectors, other clones and other people's commands do to a repository what they do.
struct KeepingTests {
    /// A remote with a server's guard, a clone `work` that has pushed, and clones `a` and `b`.
    private func team(format: String = "sha1") async throws -> Project {
        let project = try await Project.withRemote(format: format)
        try await project.sh(
            """
            git add . && git commit -qm first && git push -q -u origin main
            for c in a b; do git clone -q ../remote.git ../$c && (cd ../$c && git ml init >/dev/null); done
            """)
        return project
    }

    /// A shell function that commits a metric of its own.
    private let record = #"record() { printf '{"auc":%s}' "$1" > metrics.json; git add .; git commit -qm "m $1"; };"#

    private func heads(_ project: Project, _ folders: String..., ref: String = "refs/notes/ml/runs") async throws
        -> Set<String>
    {
        var heads: Set<String> = []
        for folder in folders { heads.insert(try await project.sh("git rev-parse \(ref)", in: folder)) }
        return heads
    }

    private func count(_ project: Project, _ folder: String) async throws -> Int {
        let seen = try await project.ml("runs", "--all", "--json", in: folder)
        #expect(seen.status == 0, "\(seen)")
        return seen.output.split(separator: "\n").count
    }

    @Test func `a squash merge, a deleted branch and the server's gc leave the runs and their code`() async throws {
        let project = try await team()
        try await project.sh(
            """
            \(record)
            git checkout -q -b feature; echo 'print("the code")' > train.py; record 0.7; record 0.8
            git push -q -u origin feature
            git rev-parse HEAD > ../commit
            git checkout -q main; git merge -q --squash feature; git commit -qm squashed; git push -q
            git push -q origin --delete feature
            git branch -q -D feature; git reflog expire --expire=now --all; git gc -q --prune=now
            git maintenance run --task=gc --quiet; git fsck --strict --no-dangling
            cd ../remote.git; git reflog expire --expire=now --all; git gc -q --prune=now; git fsck --strict --no-dangling
            cd ..; git clone -q remote.git fresh; cd fresh; git ml init >/dev/null
            """)
        let runs = try await project.ml("runs", "--all", "--json", in: "fresh").output
        let commit = try #require(try project.text("commit")).trimmingTrailingSpace
        #expect(runs.contains(commit))
        // `fetch` brought the chain that keeps the code.
        let code = try await project.sh("git show \(commit):train.py && git show \(commit)~1:metrics.json", in: "fresh")
        #expect(code == "print(\"the code\")\n{\"auc\":0.7}")
        let shown = try await project.ml("show", commit, in: "fresh")
        #expect(shown.status == 0, "\(shown)")
    }

    @Test func `two clones that diverge and sync both ways end up with the same notes commit`() async throws {
        let project = try await team()
        try await project.sh(
            """
            \(record)
            (cd a; for i in $(seq 50); do git ml run --name a$i -- true >/dev/null 2>&1; done; record 0.51)
            (cd b; for i in $(seq 50); do git ml run --name b$i -- true >/dev/null 2>&1; done; record 0.52)
            for i in 1 2; do (cd a; git ml sync); (cd b; git ml sync); done
            """, in: "")
        #expect(try await heads(project, "a", "b", "remote.git").count == 1)
        let counts = [try await count(project, "a"), try await count(project, "b")]
        #expect(counts[0] >= 100 && counts[0] == counts[1])
    }

    @Test func `forty worktrees that commit at once record forty runs`() async throws {
        let project = try await team()
        try await project.sh(
            """
            for i in $(seq 40); do git worktree add -q -b w$i ../w$i; done
            for i in $(seq 40); do
              (cd ../w$i; printf '{"auc":0.1%02d}' $i > metrics.json; git add .; git commit -qm $i) >../log$i 2>&1 &
            done
            wait
            cat ../log*
            """)
        #expect(try await count(project, "work") == 40)
        let lines = try await project.sh(
            "for c in $(git notes --ref=ml/runs list | cut -d' ' -f2); do git notes --ref=ml/runs show $c; done | grep -c start"
        )
        #expect(lines.trimmingTrailingSpace == "40")
        try await project.sh("git fsck --strict --no-dangling; test -z \"$(find .git -name '*.lock' -path '*refs*')\"")
    }

    @Test func `a remote that refuses notes gets one message, and the push succeeds`() async throws {
        let project = try await team()
        try project.sandbox.directory.write(
            "remote.git/hooks/update",
            "#!/bin/sh\ncase $1 in refs/notes/*|refs/ml/*) echo no notes here; exit 1;; esac\n",
            mode: 0o755)
        let result = try await project.sandbox.run(
            "/bin/sh", ["-ec", "\(record) record 0.6; git push origin main"], in: "work")
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.errors.contains("origin did not take refs/notes/ml/runs [remote rejected] (hook declined)"))
        #expect(result.errors.contains("nothing is lost"))
        #expect(result.errors.split(separator: "\n").count { $0.hasPrefix("git-ml: the recorded runs") } == 1)
        let same = try await project.sh("git rev-parse main origin/main | uniq | wc -l")
        #expect(same.trimmingTrailingSpace == "1")
        try await project.sh("rm ../remote.git/hooks/update; git ml sync")
        #expect(try await heads(project, "work", "remote.git").count == 1)
    }

    @Test func `a remote that cannot be reached is an error, and everything is kept`() async throws {
        let project = try await team()
        try await project.sh("\(record) record 0.6; mv ../remote.git ../away.git")
        let seen = try await project.ml("sync")
        #expect(seen.status != 0)
        try await project.sh("mv ../away.git ../remote.git; git ml sync")
        #expect(try await heads(project, "work", "remote.git").count == 1)
    }

    @Test func `a push of nothing new carries runs, and another clone reads their curves and logs`() async throws {
        let project = try await team()
        try await project.sh("git push -q origin HEAD")
        let script = """
            for i in $(seq 2000); do echo "{\\"loss\\":0.$i}"; done >> $GIT_ML_RUN/metrics.jsonl; echo hello
            """
        _ = try await project.ml("run", "--name", "one", "--", "sh", "-c", script)
        try await project.sh("git push -q origin HEAD")
        try await project.sh("git clone -q remote.git fresh && cd fresh && git ml init", in: "")
        let log = try await project.ml("show", "one", "--log", in: "fresh")
        #expect(log.output == "hello\n")
        let plot = try await project.ml("plot", "loss", "one", in: "fresh")
        #expect(plot.status == 0, "\(plot)")
        #expect(plot.output.contains("step"))
    }

    @Test func `what was merged the wrong way, deleted or pushed back is restored by a sync`() async throws {
        let project = try await team()
        try await project.sh("\(record) record 0.1; record 0.2; record 0.3; git push -q", in: "work")
        try await project.sh("git ml sync", in: "a")
        let whole = try await heads(project, "work", "a")
        #expect(whole.count == 1)
        // Deleted at the server and here; another clone has it.
        try await project.sh("git update-ref -d refs/notes/ml/runs", in: "remote.git")
        try await project.sh("git update-ref -d refs/notes/ml/runs", in: "work")
        try await project.sh("(cd a; git ml sync); (cd work; git ml sync)", in: "")
        #expect(try await heads(project, "work", "a", "remote.git") == whole)
        // Put back to an old state at the server.
        try await project.sh("git update-ref refs/notes/ml/runs refs/notes/ml/runs~2", in: "remote.git")
        try await project.sh("git ml sync", in: "b")
        try await project.sh("git ml sync", in: "a")
        #expect(try await heads(project, "a", "remote.git") == whole)
        // Merged so that one side's lines were thrown away, and pushed where no guard stands.
        try await project.sh("rm -f hooks/pre-receive", in: "remote.git")
        try await project.sh(
            """
            c=$(git rev-parse HEAD)
            git notes --ref=bad add -m other $c
            git notes --ref=ml/runs merge -q -s theirs refs/notes/bad
            git notes --ref=ml/runs show $c | grep -qx other
            git push -q --no-verify origin refs/notes/ml/runs
            """)
        try await project.sh("git ml sync", in: "a")
        try await project.sh("git ml sync", in: "work")
        #expect(try await count(project, "work") == 3)
        #expect(try await count(project, "a") == 3)
        #expect(try await heads(project, "work", "a", "remote.git").count == 1)
    }

    @Test func `somebody who is faster during the push is fetched, united and not overwritten`() async throws {
        let project = try await team()
        try await project.sh(
            "\(record) record 0.1; git push -q --no-verify origin HEAD:faster refs/notes/ml/runs:refs/x/runs", in: "a")
        try project.sandbox.directory.write(
            "remote.git/hooks/pre-receive",
            """
            #!/bin/sh
            unset GIT_QUARANTINE_PATH
            test -e raced || { touch raced; git update-ref refs/notes/ml/runs refs/x/runs; }
            """, mode: 0o755)
        try await project.sh("\(record) record 0.2; git push -q; test -e ../remote.git/raced")
        try await project.sh("git ml sync", in: "a")
        #expect(try await heads(project, "work", "a", "remote.git").count == 1)
        #expect(try await count(project, "work") == 2)
    }

    @Test(arguments: ["sha1", "sha256"])
    func `the server's guard refuses what would lose runs, and lets them grow`(format: String) async throws {
        let project = try await team(format: format)
        try await project.sh("\(record) record 0.1; record 0.2; git push -q")
        for line in [
            "git push --no-verify origin :refs/notes/ml/runs",
            "git push --no-verify -f origin refs/notes/ml/runs~1:refs/notes/ml/runs",
            """
            git notes --ref=x add -m y HEAD; git push --no-verify -f origin refs/notes/x:refs/notes/ml/runs
            """,
            """
            git update-ref refs/notes/z refs/notes/ml/runs; git notes --ref=z remove HEAD
            git push --no-verify origin refs/notes/z:refs/notes/ml/runs
            """,
        ] {
            let result = try await project.sandbox.run("/bin/sh", ["-c", line], in: "work")
            #expect(result.status != 0, "\(line)")
            #expect(result.errors.contains("git-ml: refused: refs/notes/ml/runs"), "\(result.errors)")
        }
        try await project.sh("\(record) record 0.3; git push -q")
        #expect(try await heads(project, "work", "remote.git").count == 1)
    }

    @Test(arguments: ["sha1", "sha256"])
    func `a purged run goes everywhere and does not come back`(format: String) async throws {
        let project = try await team(format: format)
        try await project.sh("\(record) record 0.111; record 0.2; git push -q")
        try await project.sh("git ml sync; \(record) record 0.4", in: "a")
        let run = try await project.sh(
            "git ml runs --all --json | grep '\"auc\":0.111' | sed 's/.*\"run\":\"\\([0-9a-f]*\\)\".*/\\1/'"
        )
        .trimmingTrailingSpace
        #expect(run.utf8.count == 32)
        let old = try await project.sh("git rev-parse refs/notes/ml/runs").trimmingTrailingSpace
        let unasked = try await project.ml("purge", run)
        #expect(unasked.status == 1)
        let seen = try await project.ml("purge", run, "--yes")
        #expect(seen.status == 0, "\(seen)")
        #expect(seen.output.contains("ask its support"))
        // The old history is in no ref of the clone, the server, or another clone that still had the run.
        try await project.sh("git ml sync; (cd ../a; git ml sync); git ml sync; (cd ../b; git ml sync)")
        let report = try await project.sh(
            """
            for r in work a b remote.git; do
              cd $r; git reflog expire --expire=all --all; git gc -q --prune=now; cd ..
              git -C $r cat-file -e \(old) 2>/dev/null && echo "$r has the old history"
              for c in $(git -C $r notes --ref=ml/runs list | cut -d' ' -f2); do
                git -C $r notes --ref=ml/runs show $c; done | grep -c '\(run)' || :
            done
            """, in: "")
        #expect(report == "0\n0\n0\n0\n")
        #expect(try await heads(project, "work", "a", "b", "remote.git").count == 1)
        #expect(try await count(project, "work") == 2)
        #expect(try await count(project, "a") == 2)
    }

    @Test func `the uncommitted code of a purged run goes too, and that of others stays`() async throws {
        let project = try await team()
        try await project.sh(
            """
            echo 1 > t.py; git add .; git commit -qm t
            echo 'PLANTED = 1' > t.py; git ml run --name bad -- true
            echo 'KEPT = 1' > t.py; git ml run --name good -- true
            git checkout -q t.py; git push -q
            (cd ../a; git ml sync; echo 'OTHER = 1' > u.py; git ml run --name other -- true; git ml sync; rm u.py)
            git ml purge bad --yes
            for r in work a b work a b; do (cd ../$r; git ml sync); done
            """)
        try await project.sh(
            """
            for r in work a b remote.git; do
              git -C $r reflog expire --expire=all --all; git -C $r gc -q --prune=now
              git -C $r rev-list --objects --all | cut -d' ' -f1 | git -C $r cat-file --batch > $r.all
              ! grep -aq PLANTED $r.all
              grep -aq KEPT $r.all
              grep -aq OTHER $r.all
            done
            """, in: "")
        #expect(try await heads(project, "work", "a", "b", "remote.git", ref: "refs/ml/snapshots").count == 1)
        // An old chain that somebody still has is not taken.
        let old = try await project.sandbox.run(
            "/bin/sh", ["-c", "git push --no-verify -f origin HEAD:refs/ml/snapshots"], in: "work")
        #expect(old.status != 0 && old.errors.contains("would lose what it holds"), "\(old.errors)")
    }

    @Test func `amend, rebase and fixup carry runs over, and their old code stays`() async throws {
        let project = try await team()
        try await project.sh(
            """
            \(record)
            record 0.1; git rev-parse HEAD > ../one; git notes --ref=ml/deliveries add -m delivered HEAD
            git commit -q --amend -m better
            record 0.2; git rev-parse HEAD > ../two
            git checkout -q -b side HEAD~2; git commit -q --allow-empty -m side; git checkout -q main; git rebase -q side
            echo x > x; git add x; git commit -q --fixup HEAD; git -c sequence.editor=: rebase -q -i --autosquash side
            test "$(git notes --ref=ml/deliveries list | wc -l)" = 1
            git push -q; git reflog expire --expire=now --all; git gc -q --prune=now
            git show $(cat ../one):metrics.json; git show $(cat ../two):metrics.json
            """)
        #expect(try await count(project, "work") == 2)
        let log = try await project.ml("log", "--json")
        #expect(log.output.split(separator: "\n").count == 2, "\(log)")
    }

    @Test func `a remote that was renamed or removed is followed`() async throws {
        let project = try await team()
        try await project.sh("\(record) record 0.1; git push -q", in: "a")
        try await project.sh(
            """
            git fetch -q
            git remote rename origin up
            git ml sync up
            test -z "$(git for-each-ref refs/notes/ml-remotes/origin refs/ml/remotes/origin)"
            ! git config --get-regexp 'fetch' | grep 'remotes/origin/'
            git for-each-ref refs/notes/ml-remotes/up | grep -q runs
            """)
        #expect(try await count(project, "work") == 1)
    }

    @Test func `a fork's runs come along with its merged commits, marked and once`() async throws {
        let project = try await team()
        try await project.sh(
            """
            \(record)
            git clone -q ../remote.git ../fork; cd ../fork; git ml init >/dev/null; git checkout -q -b better
            record 0.91; record 0.92; git checkout -q -b never; record 0.99
            cd ../work; git pull -q ../fork better
            """)
        let first = try await project.ml("sync", "--from", "\(project.path)/fork")
        #expect(first == Seen(status: 0, output: "Brought 2 run(s) from \(project.path)/fork.\n", errors: ""))
        let again = try await project.ml("sync", "--from", "\(project.path)/fork")
        #expect(again.output == "Nothing new.\n")
        let runs = try await project.ml("runs", "--json", "--all").output.split(separator: "\n")
        #expect(runs.count == 2)
        #expect(runs.allSatisfy { $0.contains("\"git-ml.origin\":\"\(project.path)/fork\"") })
    }

    @Test func `a full disk leaves the ref, the commit and what waits as they were`() async throws {
        let project = try await team()
        try project.write(
            "full.sh",
            #"""
            set -e
            mkdir -p small && mount -t tmpfs -o size=8m tmpfs small && cd small
            git clone -q ../remote.git c && cd c && git ml init >/dev/null
            printf '{"auc":0.1}' > metrics.json; git add .; git commit -qm one; git ml runs --all >/dev/null
            before=$(git rev-parse refs/notes/ml/runs)
            printf '{"auc":0.2}' > metrics.json; git -c core.hooksPath=/dev/null commit -qam two
            dd if=/dev/zero of=../filler bs=4k 2>/dev/null || :
            git ml hook post-commit 2>../../message && echo "hook 0"
            git ml tag --run HEAD~1 a=b 2>>../../message || echo "tag $?"
            test "$(git rev-parse refs/notes/ml/runs)" = "$before" && echo unchanged
            find .git -name '*.lock' -size 0 -path '*refs*'
            git fsck --strict --no-dangling 2>&1
            rm ../filler
            git ml tag --run HEAD~1 a=b
            git ml runs --all --json | wc -l
            """#)
        let result = try await project.sandbox.run("unshare", ["-rm", "sh", "full.sh"])
        #expect(result.status == 0, "\(result.errors)\(result.text)")
        let lines = result.text.split(separator: "\n").filter { !$0.hasPrefix("tagged") }
        #expect(lines.count == 4, "\(result.text)")
        #expect(lines.first == "hook 0")
        #expect(lines.dropFirst().first?.hasPrefix("tag ") == true)
        #expect(lines.suffix(2) == ["unchanged", "2"])
        let message = try #require(try project.text("message"))
        #expect(message.lowercased().contains("no space left") || message.contains("disk is full"), "\(message)")
    }

    @Test func `a sync that is killed at any moment loses nothing, and the next one ends where it would have`()
        async throws
    {
        let project = try await team()
        try await project.sh(
            """
            \(record)
            (cd a; for i in 1 2 3 4 5; do record 0.1$i; done; git ml sync)
            (cd b; for i in 1 2 3 4 5; do record 0.2$i; done)
            cp -R b whole; (cd whole; git ml sync)
            """, in: "")
        // Killed later and later, on a fresh copy each time, until one gets through.
        try await project.sh(
            """
            for ms in $(seq 2 6 400); do
              rm -rf c; cp -R b c; cd c
              setsid git-ml sync >/dev/null 2>&1 & p=$!
              sleep 0.$(printf %03d $ms); kill -9 -- -$p 2>/dev/null && killed=1 || killed=0; wait $p 2>/dev/null || :
              git ml sync >/dev/null
              test "$(git ml runs --all --json | wc -l)" = 10
              git fsck --strict --no-dangling 2>/dev/null
              test "$(git rev-parse refs/notes/ml/runs)" = "$(git -C ../whole rev-parse refs/notes/ml/runs)"
              cd ..
              if test $killed = 0; then break; fi
            done
            """, in: "")
    }

    @Test func `an index that cannot be written is read as it is, or made in memory`() async throws {
        let project = try await team()
        try await project.sh(
            """
            \(record) record 0.1
            cp -R ../work ../fresh; rm -f ../fresh/.git/ml/index.sqlite*
            git ml runs --all --json > ../first
            """)
        // Root may write anywhere but on a medium that is mounted to be read.
        try project.write(
            "read.sh",
            """
            set -e
            for clone in work fresh; do
              mount --bind $clone $clone; mount -o remount,bind,ro $clone
              (cd $clone; ! touch x 2>/dev/null; git ml runs --all --json | cmp - ../first; git ml log | grep -q 0.1)
            done
            """)
        let result = try await project.sandbox.run("unshare", ["-rm", "sh", "read.sh"])
        #expect(result.status == 0, "\(result.errors)\(result.text)")
    }

    @Test func `a full disk below the index gives an error or an answer, and the next command mends it`() async throws {
        let project = try await team()
        try project.write(
            "full.sh",
            #"""
            set -e
            mkdir -p small && mount -t tmpfs -o size=8m tmpfs small && cd small
            git clone -q ../remote.git c && cd c && git ml init >/dev/null
            for i in 1 2 3; do printf '{"auc":0.%s}' $i > metrics.json; git add .; git commit -qm $i; done
            rm -f .git/ml/index.sqlite*
            dd if=/dev/zero of=../filler bs=4k 2>/dev/null || :
            git ml runs --all --json > /dev/null 2>../../message && echo 0 || echo $?
            ls .git/ml | grep -c 'index.sqlite' || :
            rm ../filler
            git ml runs --all --json | wc -l
            """#)
        let result = try await project.sandbox.run("unshare", ["-rm", "sh", "full.sh"])
        #expect(result.status == 0, "\(result.errors)\(result.text)")
        let lines = result.text.split(separator: "\n")
        #expect(lines.count == 3 && lines.last == "3", "\(result.text)")
        if lines.first != "0" {
            let message = try #require(try project.text("message"))
            #expect(message.contains("index") && message.lowercased().contains("full"), "\(message)")
            #expect(lines[1] == "0", "nothing half made is left")
        }
    }
}
