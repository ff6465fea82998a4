import Base
import SystemPackage
import TestSupport
import Testing

/// Datasets on disks and with files that do not behave.
struct DatasetFaultsTests {
    /// `work` with the pushed dataset `d` of 30 files, 3 MB; `kept` is a copy of it.
    private func pushed() async throws -> Project {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            mkdir d; for i in $(seq 30); do head -c 100000 /dev/urandom > d/$i; done
            git ml add --dataset d; git add .; git commit -qm one; git branch -M main; git push -q origin main
            cp -r d ../kept
            """)
        return project
    }

    /// Runs lines where mounts are the program's own.
    private func mounted(_ lines: String, _ project: Project, in folder: String = "work") async throws -> String {
        try project.write("mounted.sh", lines)
        let script = "\(project.path)/mounted.sh"
        return try await project.sh(
            """
            if unshare -m true 2>/dev/null; then unshare -m sh \(script) 2>&1; else unshare -rm sh \(script) 2>&1; fi
            """, in: folder)
    }

    private static let full = "mount -t tmpfs -o size=1m none"
    /// Everything in the store of datasets under a final name has the bytes that its name says.
    private static let whole = """
        find .git/ml/objects -type f -path '*/??/??/*' | while read f; do
          test "$(sha256sum < "$f" | cut -c1-64)" = "$(basename "$f")" || echo "partial: $f"
        done
        """
    /// Every file of the folder is one of the kept ones, byte for byte, and nothing temporary is among them.
    private static let good = """
        for f in $(ls -A d); do cmp "d/$f" "$KEPT/$f" || echo "bad: $f"; done
        """

    // MARK: A full disk

    @Test func `add on a full disk says so, stores nothing partial and leaves the state before`() async throws {
        let project = try await pushed()
        try await project.sh(
            "for i in $(seq 31 60); do head -c 100000 /dev/urandom > d/$i; done; cp d.dataset ../before")
        let seen = try await mounted(
            """
            mkdir ../small; mount -t tmpfs -o size=5m none ../small; cp -r .git/ml/objects/. ../small/
            mount --bind ../small .git/ml/objects
            git ml add --dataset d; echo "status $?"
            find .git/ml/objects/incoming -type f; \(Self.whole)
            """, project)
        #expect(seen.contains("no space left on device"), "\(seen)")
        #expect(seen.hasSuffix("status 1\n"), "nothing partial stays: \(seen)")
        let after = try await project.sh(
            "cmp d.dataset ../before; \(Self.whole); git ml add --dataset d; git status --short")
        #expect(after.hasPrefix("added d: 60 file(s), 6.00 MB, 3.00 MB new\n"), "\(after)")
    }

    @Test func `checkout on a full disk says so, leaves whole files only, and goes on when there is room`() async throws
    {
        let project = try await pushed()
        let seen = try await mounted(
            """
            rm -rf d; mkdir d; \(Self.full) d; KEPT=../kept
            git ml checkout d; echo "status $?"
            \(Self.good)
            test -n "$(ls d)" && echo some
            """, project)
        #expect(seen.contains("no space left on device") && seen.hasSuffix("status 1\nsome\n"), "\(seen)")
        #expect(seen.contains("d/"), "the file is named: \(seen)")
        let after = try await project.sh("git ml checkout d; diff -r d ../kept; git ml status")
        #expect(after.hasSuffix("All data is here and unchanged.\n"), "\(after)")
    }

    @Test func `pull into a full store says so, keeps nothing partial under its name, and goes on later`() async throws
    {
        let project = try await pushed()
        try await project.sh(
            "git -c core.hooksPath=/nowhere clone -q remote.git clone; cd clone; git ml init || true; rm -rf d .git/ml/objects; mkdir -p .git/ml/objects",
            in: "")
        let seen = try await mounted(
            """
            \(Self.full) .git/ml/objects
            git ml pull; echo "status $?"
            \(Self.whole)
            find . -path ./.git -prune -o -name '.tmp-git-ml*' -print
            ls d 2>/dev/null || true
            """, project, in: "clone")
        #expect(seen.contains("no space left on device") && seen.hasSuffix("status 1\n"), "\(seen)")
        let after = try await project.sh("git ml pull; diff -r d ../kept; \(Self.whole)", in: "clone")
        #expect(after == "d: wrote 30 file(s), 3.00 MB\n", "\(after)")
    }

    // MARK: A read-only store

    @Test func `a store that cannot be written to is read, and what needs it says why it fails`() async throws {
        let project = try await pushed()
        try await project.sh("cp d.dataset ../before")
        let seen = try await mounted(
            """
            mount --bind .git/ml/objects .git/ml/objects; mount -o remount,bind,ro .git/ml/objects; KEPT=../kept
            git ml status; git ml ls --json > /dev/null; echo "ls $?"; rm d/3; git ml checkout d; echo "checkout $?"
            echo new > d/new; git ml add --dataset d; echo "add $?"; rm d/new
            \(Self.good)
            cmp d.dataset ../before
            """, project)
        #expect(seen.contains("ls 0\nd: wrote 1 file(s), 100 kB\ncheckout 0\n"), "\(seen)")
        #expect(seen.lowercased().contains("read-only file system") && seen.hasSuffix("add 1\n"), "\(seen)")
        try await project.sh(
            "git -c core.hooksPath=/nowhere clone -q remote.git clone; cd clone; git ml init || true; rm -rf d .git/ml/objects; mkdir -p .git/ml/objects",
            in: "")
        let pull = try await mounted(
            """
            mount --bind .git/ml/objects .git/ml/objects; mount -o remount,bind,ro .git/ml/objects
            git ml pull; echo "pull $?"; ls d 2>/dev/null || true
            """, project, in: "clone")
        #expect(pull.lowercased().contains("read-only file system") && pull.hasSuffix("pull 1\n"), "\(pull)")
    }

    // MARK: Files that do not hold still

    @Test func `a file that is written to all the time is named, and the state before stays`() async throws {
        let project = try await pushed()
        let seen = try await project.sh(
            """
            cp d.dataset ../before; head -c 60000000 /dev/zero > d/log; (while :; do echo x >> d/log; done) & p=$!
            git ml add --dataset d 2>&1 || echo "status $?"; kill $p; rm d/log; cmp d.dataset ../before; \(Self.whole)
            """)
        #expect(seen.contains("error: d/log changes while it is read") && seen.hasSuffix("status 1\n"), "\(seen)")
        let after = try await project.ml("status")
        #expect(after.output == "All data is here and unchanged.\n", "\(after)")
    }

    @Test func `files that come and go while a folder is added never make a wrong state`() async throws {
        let project = try await pushed()
        let seen = try await project.sh(
            """
            (while :; do for i in 1 2 3 4 5 6 7 8; do echo $i > d/come$i; done; rm -f d/come*; done) & p=$!
            for round in 1 2 3 4 5 6; do
              git ml add --dataset d > ../out 2>&1 && status=0 || status=$?
              test $status = 0 || grep -q 'changes while it is read' ../out || { cat ../out; echo "status $status"; }
              test $status -lt 2 || echo "status $status"
            done
            kill $p; wait $p 2>/dev/null || true; rm -f d/come*
            git ml fsck; git ml add --dataset d > /dev/null; git diff --stat; \(Self.whole)
            """)
        #expect(seen == "All pointers and content are right.\n", "\(seen)")
    }

    @Test(arguments: ["checkout", "pull"])
    func `a file that the user writes to meanwhile is named and stays, whatever else is put back`(verb: String)
        async throws
    {
        let project = try await pushed()
        let seen = try await project.sh(
            """
            printf mine > d/1; (while :; do printf x >> d/1; done) & p=$!
            rm d/2; git ml \(verb) d 2>&1 || echo "status $?"
            kill $p; wait $p 2>/dev/null || true; head -c 5 d/1; echo; git ml \(verb) d > /dev/null 2>&1 || true
            cmp d/2 ../kept/2; head -c 5 d/1; git ml \(verb) --force d > /dev/null; diff -r d ../kept
            """)
        #expect(seen.contains("d/1") && seen.hasSuffix("status 1\nminex\nminex"), "\(seen)")
    }

    @Test(arguments: ["checkout", "pull"])
    func `files that vanish meanwhile are no harm, or told of, and come back`(verb: String) async throws {
        let project = try await pushed()
        let seen = try await project.sh(
            """
            (while :; do rm -f d/1* d/2*; sleep 0.01; done) & p=$!
            for round in 1 2 3 4; do
              touch d/3 d/4; git ml \(verb) d > ../out 2>&1 && status=0 || status=$?
              test $status -lt 2 || { cat ../out; echo "status $status"; }
            done
            kill $p; wait $p 2>/dev/null || true
            git ml \(verb) d > /dev/null; diff -r d ../kept; \(Self.whole)
            """)
        #expect(seen == "", "\(seen)")
    }

    @Test func `a remote whose files cannot be read is told of, and a pull goes on when they can`() async throws {
        let project = try await pushed()
        let seen = try await project.sh(
            """
            git -c core.hooksPath=/nowhere clone -q ../remote.git ../clone; cd ../clone; git ml init > /dev/null || true
            rm -rf d .git/ml/objects; pack=$(find ../remote.git/lfs/objects -type f -size +1000k); chmod 0 $pack
            run="setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all"; test $(id -u) = 0 || run=
            $run git ml pull 2>&1 || echo "pull $?"; chmod 644 $pack; \(Self.whole); ls d 2> /dev/null || true
            git ml pull; diff -r d ../kept
            """)
        #expect(seen.lowercased().contains("permission denied") && seen.contains("remote.git/lfs/objects/"), "\(seen)")
        #expect(seen.hasSuffix("pull 1\nd: wrote 30 file(s), 3.00 MB\n"), "\(seen)")
    }

    @Test func `files and folders that cannot be read or written are named, and nothing is lost`() async throws {
        let project = try await pushed()
        let seen = try await project.sh(
            """
            run="setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all"; test $(id -u) = 0 || run=
            cp d.dataset ../before; echo s > d/secret; chmod 0 d/secret
            $run git ml add --dataset d 2>&1 || echo "add $?"; rm -f d/secret; cmp d.dataset ../before
            mkdir d/sub; echo x > d/sub/x; chmod 0 d/sub
            $run git ml add --dataset d 2>&1 || echo "add $?"; chmod 755 d/sub; rm -r d/sub; cmp d.dataset ../before
            rm d/7; chmod 500 d
            $run git ml checkout d 2>&1 || echo "checkout $?"; chmod 755 d
            pack=$(find .git/ml/objects -type f -path '*/??/??/*' -size +1000k); chmod 0 $pack
            $run git ml checkout d 2>&1 || echo "checkout $?"; chmod 644 $pack
            KEPT=../kept; \(Self.good)
            git ml checkout d; diff -r d ../kept
            """)
        let errors = seen.split(separator: "\n").filter { $0.hasPrefix("error: ") }
        #expect(errors.count == 4 && errors.allSatisfy { $0.lowercased().contains("permission denied") }, "\(seen)")
        #expect(
            errors.first?.contains("d/secret") == true && errors.dropFirst().first?.contains("d/sub") == true, "\(seen)"
        )
        #expect(seen.components("add 1") == 2 && seen.components("checkout 1") == 2, "\(seen)")
        #expect(seen.hasSuffix("d: wrote 1 file(s), 100 kB\n"), "\(seen)")
    }
}

extension String {
    /// How many lines are this text.
    fileprivate func components(_ line: String) -> Int { split(separator: "\n").count { $0 == line } }
}
