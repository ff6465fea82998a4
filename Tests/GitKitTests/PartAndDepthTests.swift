import Base
import SystemPackage
import TestSupport
import Testing

@testable import GitKit

/// Clones that do not have everything.
struct PartAndDepthTests {
    private let sandbox: Sandbox

    init() throws { sandbox = try Sandbox() }

    /// A remote with five commits, and a clone of it with the options.
    private func clone(_ form: RepositoryForm, _ options: String) async throws -> Repository {
        _ = try await form.make(in: sandbox, "origin")
        try await sandbox.sh(
            """
            git config uploadpack.allowFilter true; git config uploadpack.allowAnySHA1InWant true
            for i in 1 2 3 4; do echo $i > file; git add file; git commit -qm $i; done
            cd ..; git clone -q \(options) file://$PWD/origin clone
            """, in: "origin")
        return try Repository(sandbox.path.appending("clone"))
    }

    private func id(_ revision: String) async throws -> ObjectID {
        let text = try await sandbox.sh("git rev-parse '\(revision)'", in: "origin")
        return try #require(ObjectID(text.trimmingTrailingSpace))
    }

    @Test(arguments: RepositoryForm.all)
    func `in a partial clone a missing blob is fetched`(form: RepositoryForm) async throws {
        let repository = try await clone(form, "--filter=blob:none")
        #expect(repository.usesProgram == (form != .sha1))
        #expect(try await repository.blob(id("main~2:file")) == Array("2\n".utf8))
        #expect(try await repository.header(id("main~1:file"))?.size == 2)
        #expect(try repository.file("file", in: repository.resolve("HEAD~3")) == Array("1\n".utf8))
    }

    @Test(arguments: RepositoryForm.all)
    func `in a partial clone without its remote the error names the blob, at once`(form: RepositoryForm) async throws {
        let repository = try await clone(form, "--filter=blob:none")
        let blob = try await id("main~2:file")
        try await sandbox.sh("mv origin away")
        let start = ContinuousClock.now
        let failure = #expect(throws: GitFailure.self) { try repository.blob(blob) }
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect("\(failure as Any)".contains(blob.hex))
        // What is here is still read, and new things are written.
        #expect(try repository.file("file", in: repository.resolve("HEAD")) == Array("4\n".utf8))
        let head = try repository.resolve("HEAD")
        try Notes("refs/notes/x", in: repository).add([head: ["a"]], message: "x")
        #expect(try Notes("refs/notes/x", in: repository).lines(on: head) == ["a"])
    }

    @Test(arguments: RepositoryForm.all)
    func `the extension that older git sets for partial clones is understood`(form: RepositoryForm) async throws {
        _ = try await clone(form, "--filter=blob:none")
        try await sandbox.sh(
            "git config core.repositoryFormatVersion 1; git config extensions.partialClone origin", in: "clone")
        let repository = try Repository(sandbox.path.appending("clone"))
        #expect(repository.usesProgram == (form != .sha1))
        #expect(try await repository.blob(id("main~2:file")) == Array("2\n".utf8))
    }

    @Test(arguments: RepositoryForm.all)
    func `in a shallow clone the history ends where the clone does`(form: RepositoryForm) async throws {
        let repository = try await clone(form, "--depth 2")
        #expect(repository.isShallow)
        let head = try repository.resolve("HEAD")
        let old = try await id("main~3")
        var seen: [ObjectID] = []
        try repository.history(from: [head], hiding: [old]) {
            seen.append($0)
            return true
        }
        let expected = [try await id("main"), try await id("main~1")]
        #expect(seen == expected)
        #expect(try repository.isAncestor(expected[1], of: head))
        // Unknown here is no, as in git itself.
        #expect(try await !repository.isAncestor(id("main~3"), of: head))
        try await sandbox.sh("git fetch -q --unshallow", in: "clone")
        #expect(!repository.isShallow)
        #expect(try await repository.isAncestor(id("main~3"), of: head))
    }

    @Test(arguments: RepositoryForm.all)
    func `what was written before a ref moved is there after gc`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        let head = try repository.resolve("HEAD")
        let blob = try repository.write(.blob, Array("content".utf8))
        let tree = try repository.write(Tree([TreeEntry("a", .file, blob)]))
        let commit = try repository.writeCommit(
            tree: tree, parents: [head], by: repository.user(), message: "x\n")
        // Nothing leads to them yet: gc takes them, and the ref moves all the same.
        try await sandbox.sh("git gc -q --prune=now && ! git cat-file -e \(commit)", in: "work")
        try repository.update("refs/ml/x", from: nil, to: commit, reason: "t")
        try await sandbox.sh("git fsck --strict && git cat-file -e refs/ml/x:a", in: "work")
        // Beside a gc that runs, they lie in a pack, which prune does not touch.
        let other = try repository.writeCommit(
            tree: repository.write(Tree([TreeEntry("b", .file, try repository.write(.blob, [1, 2, 3]))])),
            parents: [head], by: repository.user(), message: "y\n")
        let packs = try Files.list(repository.commonDirectory.appending("objects/pack")).count
        try await sandbox.sh("touch .git/gc.pid", in: "work")
        try repository.update("refs/ml/y", from: nil, to: other, reason: "t")
        try await sandbox.sh(
            """
            rm .git/gc.pid; git verify-pack .git/objects/pack/*.idx; test -z "$(ls -A .git/ml/tmp)"
            git fsck --strict; git update-ref -d refs/ml/x
            rm -rf .git/objects/[0-9a-f][0-9a-f]; git cat-file -e refs/ml/y:b
            git fsck --strict
            """, in: "work")
        #expect(try Files.list(repository.commonDirectory.appending("objects/pack")).count == packs + 2)
    }
}
