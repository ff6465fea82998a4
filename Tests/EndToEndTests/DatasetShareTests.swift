import Base
import SystemPackage
import TestSupport
import Testing

/// Of a pack of which a pull needs little, only that comes.
struct DatasetShareTests {
    /// Fills `work` with a pushed dataset `d`: 200 files, 20 MB in one pack, of which `cat` has 6.
    private static let fill = """
        mkdir -p d/cat d/dog; for i in $(seq 194); do head -c 100000 /dev/urandom > d/dog/$i; done
        for i in 1 2 3 4 5 6; do head -c 100000 /dev/urandom > d/cat/$i; done
        git ml add --dataset d; git add -A; git commit -qm one; git branch -M main; git push -q origin main
        """
    private static let packs = "find .git/ml/objects -type f -path '*/??/??/*' -size +10000k | wc -l"
    private static let chunks = "find .git/ml/cache/chunks -type f -path '*/??/??/*' | wc -l"

    /// A clone `part` of what `work` has pushed, without its data.
    private func clone(_ project: Project, of url: String) async throws {
        try await project.sh(
            "git -c core.hooksPath=/nowhere clone -q \(url) part; cd part; GIT_LFS_SKIP_SMUDGE=1 git ml init || true; rm -rf d .git/ml/objects",
            in: "")
    }

    @Test func `a part comes out of its packs, and the rest when it is wanted`() async throws {
        let project = try await Project.withRemote()
        try await project.sh(Self.fill)
        try await clone(project, of: "remote.git")
        let pull = try await project.ml("pull", "d", "--include", "cat/*", in: "part")
        #expect(pull == Seen(status: 0, output: "d: wrote 6 file(s), 600 kB\n", errors: ""))
        let state = try await project.sh(
            "diff -r d/cat ../work/d/cat; ls d; \(Self.packs); \(Self.chunks); git ml status; git ml fsck", in: "part")
        #expect(
            state == "cat\n0\n6\nAll data is here and unchanged.\nAll pointers and content are right.\n", "\(state)")
        // What is in the cache is enough to put files back; what was changed is a new state with all the others in it.
        let back = try await project.sh(
            "mv ../remote.git ../away; rm d/cat/3; git ml checkout d; mv ../away ../remote.git", in: "part")
        #expect(back == "d: wrote 1 file(s), 100 kB\n", "\(back)")
        try await project.sh(
            "echo new > d/cat/7; rm d/cat/1; git ml add --dataset d; git commit -qm two; git push -q origin HEAD:main",
            in: "part")
        try await project.sh(
            "git pull -q origin main; cmp d/cat/7 ../part/d/cat/7; test ! -e d/cat/1; ls d/dog | wc -l")
        let count = try await project.sh("find d -type f | wc -l").trimmingTrailingSpace
        #expect(count == "200")
        let all = try await project.sh(
            "git ml pull d --all; diff -r d ../work/d; \(Self.packs); git ml fsck", in: "part")
        #expect(all.hasSuffix("1\nAll pointers and content are right.\n"), "\(all)")
        // Not needed any more.
        let prune = try await project.ml("prune", "--grace", "0", "--days", "0", in: "part")
        #expect(prune.status == 0, "\(prune)")
        #expect(try await project.sh(Self.chunks, in: "part") == "0\n")
    }

    @Test(arguments: [false, true])
    func `an LFS server is asked for ranges, and for the whole pack where it gives none`(gives: Bool) async throws {
        let bench = try await LFSBench()
        let project = bench.project
        try await project.sh(
            "git init -q work; cd work; git remote add origin \(bench.url); git ml init\n\(Self.fill)", in: "")
        try await clone(project, of: bench.url)
        if !gives { try bench.server.misbehave(#"{"no-range":-1}"#) }
        let before = try bench.server.requests().count
        let pull = try await project.ml("pull", "d", "--include", "cat/*", in: "part")
        #expect(pull.output == "d: wrote 6 file(s), 600 kB\n", "\(pull)")
        try await project.sh("diff -r d/cat ../work/d/cat", in: "part")
        let ranges = try bench.server.requests().dropFirst(before).compactMap { $0["range"]?.string }
        #expect(!ranges.isEmpty && ranges.allSatisfy { $0.hasPrefix("bytes=") && !$0.hasSuffix("-") }, "\(ranges)")
        #expect(try await project.sh(Self.packs, in: "part") == (gives ? "0\n" : "1\n"))
    }

    @Test func `wrong bytes in a part are found, and never put in place`() async throws {
        let project = try await Project.withRemote()
        try await project.sh(Self.fill)
        try await clone(project, of: "remote.git")
        try await project.sh(
            """
            pack=$(find remote.git/lfs/objects -type f -size +10000k); chmod u+w $pack
            python3 - $pack work/d/cat/2 <<'END'
            import sys
            content, part = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
            place = content.index(part) + 5000
            with open(sys.argv[1], "r+b") as file:
                file.seek(place)
                file.write(bytes([content[place] ^ 1]))
            END
            """, in: "")
        let pull = try await project.ml("pull", "d", "--include", "cat/*", in: "part")
        #expect(pull.status == 5 && pull.errors.contains("does not match its digest"), "\(pull)")
        let there = try await project.sh("find d -type f 2>/dev/null | wc -l; \(Self.packs)", in: "part")
        #expect(there == "0\n0\n", "\(there)")
    }
}
