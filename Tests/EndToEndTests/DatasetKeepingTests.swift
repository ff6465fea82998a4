import Base
import SystemPackage
import TestSupport
import Testing

/// `fetch`, `fsck` and `prune` know what datasets consist of.
struct DatasetKeepingTests {
    /// `work` with two pushed states of the dataset `d`: `v1`, and HEAD, which shares a pack with it.
    private func pushed() async throws -> Project {
        let project = try await Project.withRemote()
        try await project.sh(
            """
            mkdir d && for i in 1 2 3 4 5; do seq $((i * 100)) > d/$i; done
            git ml add --dataset d && git add . && git commit -qm one && git tag v1
            echo first > ../first; seq 7 1007 > d/1; rm d/5; echo new > d/6
            git ml add --dataset d && git commit -qm two && git push -q origin HEAD:main v1
            """)
        return project
    }

    private static let objects = "find .git/ml/objects -type f -path '*/??/??/*' | sort"

    @Test func `prune deletes what only old states need, and a later fetch brings it again`() async throws {
        let project = try await pushed()
        try await project.sh(
            """
            \(Self.objects) > ../before
            git reflog expire --expire=now --all
            """)
        // Young: stays.
        #expect(try await project.ml("prune", "--days", "0").output == "Nothing to delete.\n")
        try await project.sh("find .git/ml/objects -type f -exec touch -d '30 days ago' {} +")
        // A commit of today has the old state: all stays.
        try await project.sh(
            "git branch today $(GIT_COMMITTER_DATE=\"@$(date +%s) +0000\" git commit-tree v1^{tree} -m today)")
        #expect(try await project.ml("prune", "--days", "1").output == "Nothing to delete.\n")
        try await project.sh("git branch -qD today")
        let dry = try await project.ml("prune", "--days", "0", "--dry-run")
        #expect(dry.output.contains("would delete "), "\(dry)")
        let pruned = try await project.ml("prune", "--days", "0")
        #expect(pruned.status == 0)
        let gone = try await project.sh("\(Self.objects) > ../after; comm -23 ../before ../after | wc -l")
            .trimmingTrailingSpace
        #expect(Int(gone) ?? 0 > 0)
        try await project.sh("rm -rf d; git ml checkout; git ml fsck")
        #expect(try project.text("work/d/6") == "new\n")
        let old = try await project.sh("git checkout -q v1; ls d | tr '\\n' ' '")
        #expect(old == "1 2 3 4 5 ")
        #expect(try await project.sh("\(Self.objects) > ../again; comm -23 ../before ../again") == "")
    }

    @Test func `prune keeps what the remote lacks, and all when a manifest that stays is broken`() async throws {
        let project = try await pushed()
        try await project.sh(
            """
            git reflog expire --expire=now --all
            find .git/ml/objects -type f -exec touch -d '30 days ago' {} +
            \(Self.objects) > ../before; mv ../remote.git/lfs ../lfs
            """)
        let kept = try await project.ml("prune", "--days", "0")
        #expect(kept.output.contains("that the remote does not have"), "\(kept)")
        #expect(try await project.sh("\(Self.objects) | diff ../before -") == "")
        try await project.sh(
            """
            mv ../lfs ../remote.git/lfs
            root=$(sed -n 's/^manifest sha256://p' d.dataset); file=$(find .git/ml/objects -name $root)
            chmod u+w $file; printf X | dd of=$file conv=notrunc 2>/dev/null; touch -d '30 days ago' $file
            """)
        let broken = try await project.ml("prune", "--days", "0")
        #expect(broken.status == 5, "\(broken)")
        #expect(try await project.sh("\(Self.objects) | diff ../before -") == "")
        let mended = try await project.ml("fsck")
        #expect(mended.status == 0, "\(mended)")
        #expect(mended.output.contains("brought again"))
        #expect(try await project.ml("prune", "--days", "0").status == 0)
    }

    @Test func `fsck finds a damaged pack, brings it again, and says what is nowhere`() async throws {
        let project = try await pushed()
        try await project.sh(
            """
            pack=$(find .git/ml/objects -type f -path '*/??/??/*' -size +2k | xargs ls -S | head -1); echo $pack > ../pack
            sha256sum < $pack > ../sum; chmod u+w $pack; truncate -s -3 $pack
            """)
        let dry = try await project.ml("fsck", "--dry-run", "--json")
        #expect(dry.status == 5)
        #expect(dry.output.contains(#""problem":"damaged""#), "\(dry)")
        let repaired = try await project.ml("fsck")
        #expect(repaired.status == 0, "\(repaired)")
        #expect(try await project.sh("sha256sum < $(cat ../pack) | diff ../sum -") == "")
        try await project.sh("rm -f $(cat ../pack)")
        // Only at the remote: no fault.
        #expect(try await project.ml("fsck").status == 0)
        try await project.sh("rm -rf ../remote.git/lfs")
        let lost = try await project.ml("fsck")
        #expect(lost.status == 5)
        #expect(lost.output.contains("missing: d.dataset"), "\(lost)")
    }

    @Test func `fetch brings datasets without touching the folder, of a part the part`() async throws {
        let project = try await pushed()
        try await project.sh(
            "git clone -q -b main ../remote.git ../other && cd ../other && git config core.hooksPath /nowhere && git config remote.origin.url ../remote.git"
        )
        let fetched = try await project.ml("fetch", in: "other")
        #expect(fetched.status == 0)
        #expect(fetched.output.hasPrefix("fetched "), "\(fetched)")
        #expect(!Files.exists(project.path.appending("other/d")))
        #expect(try await project.ml("fetch", in: "other").output == "All content is here.\n")
        let before = try await project.sh("\(Self.objects) | wc -l", in: "other")
        _ = try await project.ml("fetch", "--all", in: "other")
        #expect(try await project.sh("\(Self.objects) | wc -l", in: "other") != before)
        try await project.sh("mv ../remote.git ../away; git ml checkout; diff -r d ../work/d", in: "other")
    }

    @Test(arguments: ["folder", "link", "ssh"])
    func `a remote that is the store of the clone itself loses nothing to prune`(way: String) async throws {
        let project = try await Project.withRemote()
        let own = "\(project.path)/work/.git"
        var settings = ""
        var ssh: SSHServer?
        switch way {
        case "ssh":
            let server = try await SSHServer(project.path.appending("ssh"))
            settings = "git config core.sshCommand '\(server.command)'"
            ssh = server
        case "link": settings = "ln -s \(own)/lfs/objects ../store; ln -s \(own)/ml/objects ../packs"
        default: break
        }
        func address(_ name: String) -> String {
            if let ssh { return "ssh://\(ssh.address)\(own)/\(name)/objects" }
            return way == "link"
                ? "file://\(project.path)/\(name == "lfs" ? "store" : "packs")" : "file://\(own)/\(name)/objects"
        }
        try await project.sh(
            """
            \(settings)
            export GIT_COMMITTER_DATE='1000000000 +0000'
            git ml track '*.bin'; echo one > a.bin; mkdir d; echo 1 > d/1; git ml add --dataset d; git add -A
            git commit -qm one; git rm -q a.bin d.dataset; rm -rf d; git commit -qm two; git push -q --no-verify origin HEAD
            git reflog expire --expire=now --all
            """)
        let all = "find .git/lfs/objects .git/ml/objects -type f -path '*/??/??/*' | sort"
        let before = try await project.sh(all)
        #expect(before.split(separator: "\n").count == 4)
        for name in ["lfs", "ml"] {
            try project.write("work/ml.yaml", "version: 1\ndata: {remote: '\(address(name))'}\n")
            for more in [[], ["--dry-run"]] {
                let seen = try await project.sandbox.run(
                    "git", ["ml", "prune", "--days", "0", "--grace", "0"] + more, in: "work")
                #expect(seen.status == 1, "\(seen.text)\(seen.errors)")
                #expect(seen.errors.contains("is the store of this clone itself"), "\(seen.errors)")
            }
            #expect(try await project.sh(all) == before)
        }
    }
}
