import Base
import SystemPackage
import TestSupport
import Testing

/// What must not go wrong with data files: kills, disks, users, settings, other kinds of repositories.
struct DataCareTests {
    /// Ends with an error if a file of the store does not have the bytes that its name says.
    private static let verify = """
        find "$(git rev-parse --git-common-dir)/lfs/objects" -type f ! -path '*/incoming/*' 2>/dev/null | while read f; do
          test "$(sha256sum < "$f" | cut -c1-64)" = "$(basename "$f")" || { echo "partial: $f"; exit 9; }
        done
        """

    @Test(arguments: ["git ml add data", "git add data"])
    func `an addition that is killed at any moment leaves no partial name, and the next one is right`(add: String)
        async throws
    {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            echo 'data/** filter=lfs diff=lfs merge=lfs -text' > .gitattributes; git add .; git commit -qm start
            mkdir data; for i in $(seq 60); do head -c 3000 /dev/urandom > data/$i; done
            head -c 20000000 /dev/urandom > data/large
            for ms in 010 030 060 100 150 220 300 400 600 900; do
              rm -rf .git/lfs; git read-tree HEAD
              setsid \(add) > /dev/null 2>&1 & p=$!
              sleep 0.$ms; kill -9 -- -$p 2>/dev/null || :; wait $p 2>/dev/null || :
              (\(Self.verify))
              rm -f .git/index.lock
              \(add) > /dev/null
              (\(Self.verify))
              test "$(git lfs ls-files | wc -l)" = 0 || :
              git ml fsck > fsck.txt || { cat fsck.txt; exit 8; }
              test "$(find .git/lfs/objects -type f ! -path '*/incoming/*' | wc -l)" -ge 61
              test "$(ls .git/lfs/objects/incoming | wc -l)" -le 1
            done
            """)
    }

    @Test func `what git was given pointers of before a kill is put in place by the next command`() async throws {
        let project = try await Project.withData()
        let text = "content of a killed filter"
        let oid = Digest.of(text).hex
        try await project.sh(
            """
            d=.git/lfs/objects/incoming/batch-x; mkdir -p $d; printf '\(text)' > $d/\(oid)
            printf cut > $d/\(Digest.of("whole").hex)
            git ml add data
            """)
        let found = try await project.sh(
            "find .git/lfs/objects -name '\(oid)' -o -name '\(Digest.of("whole").hex)'; ls .git/lfs/objects/incoming")
        #expect(found == ".git/lfs/objects/\(oid.prefix(2))/\(oid.dropFirst(2).prefix(2))/\(oid)\n")
    }

    @Test func `hooks that run while git still holds the filter find the content`() async throws {
        let project = try await Project.withData()
        try await project.sh(
            """
            printf '#!/bin/sh\\ngit push -q origin HEAD || exit 1\\ntouch pushed\\n' > .git/hooks/post-commit
            for i in $(seq 100); do echo $i > data/$i; done; git add -N data
            git commit -qam many && test -e pushed
            """)
        let sent = try await project.sh("find remote.git/lfs/objects -type f ! -path '*/incoming/*' | wc -l", in: "")
        #expect(sent.trimmingTrailingSpace == "102")
    }

    @Test(arguments: ["hardlink", "symlink"])
    func `linked files are read-only names of the store's, and what was edited in place is never sent`(link: String)
        async throws
    {
        let project = try await Project.withData()
        try project.write("work/ml.yaml", "version: 1\ndata: {link: \(link)}\n")
        try await project.sh(
            """
            printf hard > data/h.bin; printf run > data/run.sh; chmod +x data/run.sh; git ml add data ml.yaml
            test "$(stat -c %a-%h data/h.bin)" = 444-2; test "$(stat -c %a-%h data/run.sh)" = 755-1
            git commit -qm links; git status --porcelain data > status; test ! -s status
            chmod u+w data/h.bin; printf HARD > data/h.bin
            """)
        let push = try await project.sandbox.run("git", ["push", "-q"], in: "work")
        #expect(push.status != 0 && push.errors.contains("does not match its digest"), "\(push.errors)")
        let there = try await project.sh("find remote.git/lfs -name '\(Digest.of("hard").hex)' | wc -l", in: "")
        #expect(there.trimmingTrailingSpace == "0")
        // Added again it is new content, and the old one counts as lost.
        try await project.sh("git ml add data && git commit -qm edited")
        let old = try await project.sh("find .git/lfs -name '\(Digest.of("hard").hex)' | wc -l; git ml fsck")
        #expect(old == "0\nAll pointers and content are right.\n")
        try await project.sh("git reset -q --hard HEAD~2 && git commit -q --allow-empty -m x && git push -q")
        try project.write("work/ml.yaml", "version: 1\ndata: {link: \(link)}\n")
        let placed = try await project.sh("rm -rf data && git ml checkout data && stat -c %a-%h data/a.bin")
        #expect(placed == "checked out 2 data file(s)\n444-2\n")
    }

    @Test func `prune keeps what an index, a stash, a linked work tree, a run or an unpushed commit names`()
        async throws
    {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            git checkout -q -b main
            export GIT_COMMITTER_DATE='1000000000 +0000'
            mkdir data; for i in old tree stash index run local; do printf $i > data/$i; done
            git ml add data && git add . && git commit -qm all
            git push -q -u origin main
            keep() { git rm -q --cached -r data; git ml add data/$1; git commit -qm $1; }
            git rm -q -r data && git commit -qm none && git push -q
            git worktree add -q --detach ../tree HEAD
            mkdir -p data ../tree/data; printf index > data/index; git ml add data/index
            printf tree > ../tree/data/tree; (cd ../tree && git ml add data/tree)
            git commit -qm i; printf stash > data/stash; git ml add data/stash; git stash -q
            git reset -q --hard HEAD~1; mkdir -p data; printf index > data/index; git ml add data/index
            git checkout -q --orphan side; printf local > data/local; git rm -q --cached -r data; git ml add data/local; git commit -qm local
            git checkout -q -f main; mkdir -p data; printf index > data/index; git ml add data/index
            mkdir -p .git/ml/journal; echo '{"oid":"sha256:\(Digest.of("run").hex)"}' > .git/ml/journal/x.jsonl
            git reflog expire --all --expire=now --expire-unreachable=now refs/heads/main HEAD
            """)
        let gone = try await project.ml("prune", "--days", "0", "--grace", "0")
        #expect(gone.output == "deleted 1 object(s), 3 B\n", "\(gone)")
        for name in ["tree", "stash", "index", "run", "local"] {
            let found = try await project.sh("find .git/lfs/objects -name '\(Digest.of(name).hex)' | wc -l")
            #expect(found.trimmingTrailingSpace == "1", "\(name)")
        }
        let option = try await project.ml("prune", "--verify-remote")
        #expect(option.status == 64)
    }

    @Test func `a shared store is the group's, whatever the umask`() async throws {
        let project = try await Project.withData()
        try await project.sh(
            """
            git config core.sharedRepository group
            umask 077; for i in 1 2 3 4 5; do printf s$i > data/s$i; done; git ml add data
            printf f > data/f; git add data/f; git commit -qm more; git push -q
            rm -rf .git/lfs; git ml fetch
            """)
        let wrong = try await project.sh(
            "find .git/lfs/objects -mindepth 1 -type d ! -perm -2070; find .git/lfs/objects -type f ! -perm -060")
        #expect(wrong == "")
    }

    @Test func `a store that cannot be written to is read, and an addition says why it fails`() async throws {
        let project = try await Project.withData()
        try project.write(
            "ro.sh",
            """
            cd work; mount --bind .git/lfs .git/lfs; mount -o remount,bind,ro .git/lfs
            set -e; git ml status; git ml ls > /dev/null; rm data/a.bin; git ml checkout data; cat data/a.bin; set +e
            printf new > data/new; git ml add data/new; echo " status $?"; git add data/new; echo " status $?"
            git ls-files data/new
            """)
        let seen = try await project.sandbox.run("unshare", ["-rm", "sh", "ro.sh"])
        #expect(seen.text.contains("unchanged.\nchecked out 1 data file(s)\none"), "\(seen.text)\(seen.errors)")
        #expect(seen.text.hasSuffix(" status 1\n status 128\n"), "\(seen.text)")
        #expect(seen.errors.lowercased().contains("read-only file system"))
    }

    @Test func `a file that changes while it is read, and one that cannot be read, record nothing`() async throws {
        let project = try await Project.withData()
        let changing = try await project.sh(
            """
            head -c 60000000 /dev/zero > data/log; (while :; do echo x >> data/log; done) & p=$!
            git ml add data/log 2>&1 || echo "status $?"; kill $p; rm data/log
            """)
        #expect(changing.contains("data/log changed while it was read") && changing.contains("status 1"), "\(changing)")
        let secret = try await project.sh(
            """
            printf s > data/secret; printf t > data/t; chmod 0 data/secret
            run="setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all"; test $(id -u) = 0 || run=
            $run git ml add data 2>&1 || echo "status $?"
            """)
        #expect(
            secret.contains("data/secret") && secret.contains("ermission denied") && secret.contains("status 1"),
            "\(secret)")
        let index = try await project.sh("git ls-files data; ls .git/lfs/objects/incoming")
        #expect(index == "data/a.bin\ndata/b.bin\n")
    }

    @Test func `a sparse file is what it reads as, and a pointer whose size lies is told of`() async throws {
        let project = try await Project.withData()
        try await project.sh(
            "truncate -s 30M data/sparse && git ml add data/sparse && git commit -qm s && git lfs fsck")
        let zeros = try await project.sh("head -c 31457280 /dev/zero | sha256sum | cut -c1-64")
        let oid = try await project.sh("git cat-file -p HEAD:data/sparse | sed -n 's/^oid sha256://p'")
        #expect(oid == zeros)
        try await project.sh(
            """
            git cat-file -p HEAD:data/a.bin | sed 's/^size 3/size 4/' > p
            git update-index --cacheinfo 100644,$(git hash-object -w p),data/a.bin && git commit -qm lie && rm data/a.bin p
            """)
        let here = try await project.ml("fetch")
        #expect(here.status == 5 && here.errors.contains("has 4 bytes; it has 3"), "\(here)")
        try await project.sh("rm -rf .git/lfs/objects")
        let there = try await project.ml("fetch")
        #expect(there.status == 5 && there.errors.contains("has 4 bytes; it has 3"), "\(there)")
    }

    @Test func `submodules, bare repositories and linked work trees have their data`() async throws {
        let project = try await Project.withData()
        try await project.sh(
            """
            git init -q super && cd super && git submodule --quiet add ../remote.git sub && cd sub
            git ml init && cat data/a.bin && printf three > data/c.bin && git ml add data && git commit -qm c
            """, in: "")
        let places = try await project.sh(
            "find .git/modules/sub/lfs -name '\(Digest.of("three").hex)' | wc -l; cd sub && git ml status && git push -q origin HEAD",
            in: "super")
        #expect(places.trimmingTrailingSpace == "1\nAll data is here and unchanged.")
        let bare = try await project.sh(
            "git ml ls --revision main data && git ml fsck main && git ml prune --grace 0 && git ml fsck main",
            in: "remote.git")
        #expect(
            bare.contains("data/c.bin") && bare.hasSuffix("Nothing to delete.\nAll pointers and content are right.\n"),
            "\(bare)")
        try await project.sh(
            "git worktree add -q ../tree && cd ../tree && printf w > data/w && git ml add data && git commit -qm w && git ml push"
        )
        let tree = try await project.sh("find remote.git/lfs -name '\(Digest.of("w").hex)' | wc -l", in: "")
        #expect(tree.trimmingTrailingSpace == "1")
    }

    @Test func `a fresh clone has its datasets, and a dataset is added as one without an option`() async throws {
        let project = try await Project.withData()
        try await project.sh(
            """
            mkdir -p data/images && for i in 1 2 3; do echo $i > data/images/$i; done
            git ml add --dataset data/images && git commit -qm images && git push -q
            """)
        let clone = try await project.sh("git ml clone remote.git clone && cat clone/data/images/*", in: "")
        #expect(clone.contains("data/images: wrote 3 file(s)") && clone.hasSuffix("1\n2\n3\n"), "\(clone)")
        let again = try await project.sh("rm data/images/2; git ml init; ls data/images", in: "clone")
        #expect(again == "Everything was in place.\n1\n3\n")
        try await project.sh("echo 4 > data/images/4; echo x > data/x.bin")
        let added = try await project.ml("add", "data/images")
        #expect(added.status == 0 && added.output.hasPrefix("added data/images: 4 file(s)"), "\(added)")
        try await project.sh("echo 5 > data/images/5")
        let all = try await project.ml("add", "data", "--json")
        #expect(all.output.contains(#""kind":"dataset""#) && all.output.contains("data/x.bin"), "\(all)")
        let pointer = try await project.sh(
            "git cat-file -p :data/images.dataset | head -1; git check-attr filter data/images.dataset")
        #expect(pointer == "git-ml-dataset 1\ndata/images.dataset: filter: unspecified\n")
        let lfs = try await project.sh(
            "git commit -qm more && git lfs fsck && git check-attr merge data/images.dataset")
        #expect(lfs == "Git LFS fsck OK\ndata/images.dataset: merge: ml-dataset\n")
    }

    @Test func `commands say what they did as JSON`() async throws {
        let project = try await Project.withData()
        try await project.sh("GIT_LFS_SKIP_SMUDGE=1 git clone -q remote.git clone && rm -rf clone/.git/lfs", in: "")
        let oid = Digest.of("one").description
        let line = #"{"path":"data/a.bin","kind":"file","oid":"\#(oid)","size":3,"present":true}"# + "\n"
        let pull = try await project.ml("pull", "--json", "data/a.bin", in: "clone")
        #expect(pull == Seen(status: 0, output: line, errors: ""))
        try await project.sh("rm data/a.bin", in: "clone")
        let checkout = try await project.ml("checkout", "--json", "data/a.bin", in: "clone")
        #expect(checkout == Seen(status: 0, output: line, errors: ""))
        try await project.sh("printf 4 > data/d && git ml add data && git commit -qm d")
        let four = Digest.of("4").description
        let push = try await project.ml("push", "--json", "--dry-run")
        #expect(push.output == #"{"oid":"\#(four)","size":1,"sent":false}"# + "\n")
        let sent = try await project.ml("push", "--json")
        #expect(sent.output == #"{"oid":"\#(four)","size":1,"sent":true}"# + "\n")
    }

    @Test func `migrate takes runs along, and export gives the very commits back`() async throws {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            echo x > a.csv && echo y > b.txt && git add . && git commit -qm one
            printf '{"auc":0.5}' > metrics.json && git add . && git commit -qm two
            """)
        let before = try await project.sh("git rev-parse HEAD")
        let runs = try await project.sh("git ml runs --all --json | wc -l")
        try await project.sh("git ml migrate import --include '*.csv'")
        let after = try await project.sh("git rev-parse HEAD")
        #expect(before != after)
        let log = try await project.sh("git ml log; git ml runs --all --json | wc -l")
        #expect(log.contains("0.5") && log.hasSuffix(runs), "\(log)")
        try await project.sh("git ml migrate export --include '*.csv'")
        let back = try await project.sh("git rev-parse HEAD; git status --porcelain")
        #expect(back == before)
        // A line that tracks more than what is exported stays, with one against it.
        try await project.sh(
            "git ml migrate import --include '*.csv,*.txt' && git ml migrate export --above 1 --include 'a.csv'")
        let attributes = try await project.sh("git show HEAD:.gitattributes; git check-attr filter a.csv b.txt")
        #expect(attributes.hasSuffix("a.csv: filter: unspecified\nb.txt: filter: lfs\n"), "\(attributes)")
    }
}
