import Base
import SystemPackage
import TestSupport
import Testing

/// The stock client and ours, both ways round, against an LFS server that neither of us has written.
struct GiftlessTests {
    private func bench() async throws -> (project: Project, server: GiftlessServer) {
        let project = try Project()
        let server = try await GiftlessServer(project.path.appending("giftless"))
        try await project.sh("git init -q --bare remote.git", in: "")
        return (project, server)
    }

    @Test func `what we push the stock client clones, checks and pulls, a dataset and large content too`() async throws
    {
        let (project, server) = try await bench()
        try await project.sh(
            """
            \(LFSBench.ours(
                at: "../remote.git", settings: ["-f .lfsconfig lfs.url \(server.url)"],
                files: "head -c 30000000 /dev/urandom > a.bin; printf small > b.bin; : > empty.bin"))
            mkdir d; for i in $(seq 50); do echo $i > d/$i; done
            git ml add --dataset d; git commit -q -m dataset; git push -q origin main
            cd ..
            git \(LFSBench.stock) clone -q remote.git stock
            cmp work/a.bin stock/a.bin
            cd stock
            rm a.bin; git \(LFSBench.stock) lfs pull; cmp ../work/a.bin a.bin
            git lfs fsck
            cd ..
            git ml clone remote.git ours
            diff -r --exclude .git --exclude ml.yaml work ours
            """, in: "")
        let a = try Digest.of(file: project.path.appending(FilePath("work/a.bin").components)).digest.hex
        let objects = try server.objects()
        #expect(objects.contains(a) && objects.contains(Digest.of("small").hex))
        // Manifest, index and pack of the dataset beside the two files.
        #expect(objects.count == 5)
        let dry = try await project.sh("git lfs push --dry-run origin main; git ml push --dry-run")
        #expect(!dry.contains("=>") && dry.hasSuffix("has everything.\n"), "\(dry)")
    }

    @Test func `what the stock client pushes we clone, and both go on`() async throws {
        let (project, server) = try await bench()
        try await project.sh(
            """
            \(LFSBench.theirs(at: "../remote.git", settings: "git config -f .lfsconfig lfs.url \(server.url)"))
            cd ..
            git ml clone remote.git work
            cmp work/a.bin stock/a.bin
            cd work
            printf two > b.bin; git add b.bin; git commit -q -m two; git push -q origin main
            cd ../stock
            git pull -q; cmp b.bin ../work/b.bin
            printf three > c.bin; git add c.bin; git commit -q -m three; git push -q origin main
            cd ../work
            git pull -q; cmp c.bin ../stock/c.bin
            git ml fsck; git lfs fsck
            """, in: "")
        #expect(try server.objects().count == 3)
    }

    @Test func `what it does not have, and a pointer whose size lies, are told of with their statuses`() async throws {
        let (project, server) = try await bench()
        try await project.sh(
            LFSBench.ours(at: "../remote.git", settings: ["-f .lfsconfig lfs.url \(server.url)"]), in: "")
        try await project.sh(
            """
            git cat-file -p HEAD:a.bin | sed 's/^size 3/size 4/' > p
            git update-index --cacheinfo 100644,$(git hash-object -w p),a.bin && git commit -qm lie && rm -r p .git/lfs
            """)
        let lie = try await project.ml("fetch")
        #expect(lie.status == 5 && lie.errors.contains("says that the content has 4 bytes"), "\(lie)")
        #expect(lie.errors.contains(Digest.of("one").short), "\(lie)")
        try await project.sh("git reset -q --hard HEAD~1; rm -rf ../giftless/objects/acme .git/lfs")
        let lost = try await project.ml("fetch")
        #expect(lost.status == 3 && lost.errors.contains(Digest.of("one").short), "\(lost)")
    }
}
