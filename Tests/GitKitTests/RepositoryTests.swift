import Base
import SystemPackage
import TestSupport
import Testing

@testable import GitKit

struct RepositoryTests {
    private let sandbox: Sandbox

    init() throws { sandbox = try Sandbox() }

    @Test func `a folder outside every repository is named`() throws {
        let failure = #expect(throws: GitFailure.self) { try Repository(sandbox.path) }
        #expect(failure.map { "\($0)" } == "\(sandbox.path) is not inside a git repository")
    }

    @Test(arguments: RepositoryForm.all)
    func `a commit has the id that git gives it`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        let id = try await sandbox.sh("git rev-parse HEAD", in: "work")
        #expect(try repository.resolve("HEAD").hex + "\n" == id)
        #expect(try repository.commit(repository.resolve("main")).author.name == "ann")
    }

    @Test(
        arguments: RepositoryForm.all,
        ["nothing", "HEAD~7", "--all", "-oProxyCommand=x", "$(id)", ":/nothing", "HEAD:ml.yaml", ""])
    func `a revision that is none is named and not run`(form: RepositoryForm, text: String) async throws {
        let repository = try await form.make(in: sandbox)
        #expect(throws: GitFailure.unknownRevision(text)) { try repository.resolve(text) }
    }

    @Test(arguments: RepositoryForm.all)
    func `a ref moves only from exactly what was read`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        let head = try repository.resolve("HEAD")
        let blob = try repository.write(.blob, [1])
        try repository.update("refs/ml/x", from: nil, to: head, reason: "t")
        #expect(throws: GitFailure.moved(ref: "refs/ml/x")) {
            try repository.update("refs/ml/x", from: nil, to: head, reason: "t")
        }
        #expect(throws: GitFailure.moved(ref: "refs/ml/x")) {
            try repository.update("refs/ml/x", from: blob, to: blob, reason: "t")
        }
        #expect(try repository.ref("refs/ml/x") == head)
    }

    @Test(arguments: RepositoryForm.all)
    func `light, annotated and nested tags are told apart`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        try await sandbox.sh(
            "git tag light && git tag -a -m x full && git tag -a -m x nested full && git tag 'm#prod#1'", in: "work")
        let head = try repository.resolve("HEAD")
        let tags = try repository.tags()
        #expect(tags.map(\.name) == ["full", "light", "m#prod#1", "nested"])
        #expect(tags.map { $0.object == nil } == [false, true, true, false])
        #expect(tags.allSatisfy { $0.target == head && $0.targetKind == .commit })
    }

    @Test(arguments: RepositoryForm.all)
    func `the name inside a tag object is told apart from where it lies`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        try await sandbox.sh(
            "git tag -a -m x m@v1.0.0 && git update-ref refs/tags/m@v9.9.9 refs/tags/m@v1.0.0", in: "work")
        let moved = try repository.tags().first { $0.name == "m@v9.9.9" }
        #expect(moved?.object?.name == "m@v1.0.0")
    }

    @Test(arguments: RepositoryForm.all)
    func `only what libgit2 cannot open goes through git`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        #expect(repository.usesProgram == (form != .sha1))
        #expect(repository.format == (form == .sha256 ? .sha256 : .sha1))
        let work = sandbox.path.appending("work")
        #expect(repository.workTree == work)
        #expect(repository.gitDirectory == work.appending(".git"))
        #expect(repository.commonDirectory == repository.gitDirectory)
        let inside = try Repository(repository.gitDirectory)
        #expect(inside.workTree == work)
        let bare = try await sandbox.sh("git clone -q --bare work bare.git && cd bare.git && pwd -P")
        #expect(try Repository(sandbox.path.appending("bare.git")).workTree == nil)
        #expect(
            try Repository(FilePath(bare.trimmingTrailingSpace)).commonDirectory == sandbox.path.appending("bare.git"))
    }

    @Test(arguments: RepositoryForm.all)
    func `the empty tree has the name that git gives it`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        let name = try await sandbox.sh("git hash-object -t tree --stdin </dev/null", in: "work")
        #expect(repository.emptyTree.hex + "\n" == name)
        #expect(try repository.write(Tree()) == repository.emptyTree)
    }

    @Test(arguments: RepositoryForm.all)
    func `objects of every kind and size come back, and git has them`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        var random = SeededGenerator(seed: 7)
        let contents = [0, 1, 15, 16, 2047, 2048, 65_534, 65_535, 65_536, 1_000_000].map { size in
            (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        let ids = try contents.map { try repository.write(.blob, $0) }
        let held = try repository.withoutFlushing {
            let ids = try contents.map { try repository.write(.blob, [0] + $0) }
            #expect(try repository.blob(ids[4]) == [0] + contents[4])
            #expect(try repository.header(ids[4])?.size == 2048)
            return ids
        }
        let fresh = try Repository(sandbox.path.appending("work"))
        for (i, content) in contents.enumerated() {
            #expect(try fresh.blob(ids[i]) == content)
            #expect(try fresh.header(ids[i])?.size == content.count)
            #expect(try fresh.blob(held[i]) == [0] + content)
        }
        let tree = try repository.write(Tree([TreeEntry("a", .file, ids[1]), TreeEntry("ä b", .executable, ids[2])]))
        let head = try repository.resolve("HEAD")
        let commit = try repository.writeCommit(
            tree: tree, parents: [head], by: repository.user(), message: "second\n")
        try repository.update("refs/heads/other", from: nil, to: commit, reason: "t")
        #expect(try fresh.commit(commit).parents == [head])
        #expect(try fresh.entry("ä b", in: commit)?.mode == .executable)
        #expect(throws: GitFailure.missingObject(String(ids[1].hex.reversed()))) {
            _ = try ObjectID(String(ids[1].hex.reversed())).map { try repository.object($0) }
        }
        #expect(try ObjectID(String(ids[1].hex.reversed())).flatMap { try repository.header($0)?.size } == nil)
        try await sandbox.sh("git fsck --strict && git checkout -q other && git status --porcelain", in: "work")
    }

    @Test(arguments: RepositoryForm.all)
    func `the history is listed as git lists it`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        try await sandbox.sh(
            """
            git checkout -q -b side; for i in 1 2; do git commit -q --allow-empty -m s$i; done
            git checkout -q main; git commit -q --allow-empty -m m; git merge -q --no-ff -m merge side
            """, in: "work")
        func listed(_ starts: [ObjectID], _ hidden: [ObjectID]) throws -> [ObjectID] {
            var seen: [ObjectID] = []
            try repository.history(from: starts, hiding: hidden) {
                seen.append($0); return true
            }
            return seen
        }
        let (head, side) = (try repository.resolve("main"), try repository.resolve("side"))
        let unknown = try #require(ObjectID(String(head.hex.reversed())))
        let all = try listed([head], [])
        #expect(all.count == 5)
        #expect(all.first == head)
        #expect(Set(try listed([head], [side, unknown])) == Set(try [head, repository.resolve("main~1")]))
        var count = 0
        try repository.history(from: [head]) { _ in
            count += 1; return count < 2
        }
        #expect(count == 2)
        #expect(throws: (any Error).self) { try repository.history(from: [unknown]) { _ in true } }
        #expect(try repository.isAncestor(side, of: head))
        #expect(try repository.isAncestor(head, of: head))
        #expect(try !repository.isAncestor(head, of: side))
    }

    @Test(arguments: RepositoryForm.all)
    func `refs, HEAD, settings and remotes are read`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        #expect(try repository.headBranch() == "refs/heads/main")
        #expect(try repository.setting("user.name") == "ann")
        #expect(try repository.setting("user.nothing") == nil)
        try await sandbox.sh(
            """
            git config ml.lines "one
            two"; git remote add a b; git remote add origin ../x; git symbolic-ref refs/ml/link refs/heads/main
            git branch refs/ml/x; git update-ref refs/ml/b/c HEAD; git update-ref refs/ml/a HEAD
            git update-ref refs/mlx HEAD; git checkout -q --detach
            """, in: "work")
        let head = try repository.resolve("main")
        #expect(try repository.setting("ml.lines") == "one\ntwo")
        #expect(try repository.remotes() == ["a", "origin"])
        #expect(try repository.headBranch() == nil)
        #expect(try repository.head() == head)
        #expect(try repository.ref("refs/ml/link") == head)
        #expect(try repository.ref("refs/ml/x") == nil)
        #expect(try repository.ref("refs/ml/b") == nil)
        #expect(try repository.refs(below: "refs/ml/").map(\.name) == ["refs/ml/a", "refs/ml/b/c"])
        #expect(try repository.refs(below: "refs/ml").map(\.name) == ["refs/ml/a", "refs/ml/b/c", "refs/mlx"])
        #expect(try repository.refs(below: "refs/nothing/").isEmpty)
        try await sandbox.sh("git checkout -q --orphan empty", in: "work")
        #expect(try repository.head() == nil)
        #expect(try repository.headBranch() == "refs/heads/empty")
    }

    @Test(arguments: RepositoryForm.all)
    func `a lock that a killed git left behind is named with its age`(form: RepositoryForm) async throws {
        guard form != .reftable else { return }
        let repository = try await form.make(in: sandbox)
        let head = try repository.resolve("HEAD")
        let lock = sandbox.path.appending("work/.git/refs/notes/ml/runs.lock")
        try await sandbox.sh("mkdir -p .git/refs/notes/ml && touch -d '2 hours ago' \(lock)", in: "work")
        let start = ContinuousClock.now
        let failure = #expect(throws: GitFailure.self) {
            try Notes("refs/notes/ml/runs", in: repository).add([head: ["a"]], message: "x")
        }
        #expect(ContinuousClock.now - start < .seconds(5))
        guard case .locked(_, let path, let age)? = failure else { return #expect(Bool(false), "\(failure as Any)") }
        #expect(path == lock.string)
        #expect((7200...7300).contains(age))
        try await sandbox.sh("rm \(lock)", in: "work")
        try Notes("refs/notes/ml/runs", in: repository).add([head: ["a"]], message: "x")
    }

    @Test(arguments: RepositoryForm.all)
    func `a lock that goes in time is waited for`(form: RepositoryForm) async throws {
        guard form != .reftable else { return }
        let repository = try await form.make(in: sandbox)
        let head = try repository.resolve("HEAD")
        try await sandbox.sh("mkdir -p .git/refs/ml && touch .git/refs/ml/x.lock", in: "work")
        let lock = sandbox.path.appending("work/.git/refs/ml/x.lock")
        Threads.start {
            usleep(60_000)
            Files.remove(lock)
        }
        try repository.update("refs/ml/x", from: nil, to: head, reason: "t")
        #expect(try repository.ref("refs/ml/x") == head)
    }

    @Test(arguments: RepositoryForm.all)
    func `a reader that was killed is started again`(form: RepositoryForm) async throws {
        guard form == .sha256 else { return }
        let repository = try await form.make(in: sandbox)
        let head = try repository.resolve("HEAD")
        _ = try repository.commit(head)
        let readers = try await sandbox.run("pgrep", ["-P", "\(getpid())", "-f", "cat-file --batch$"]).text
        for reader in readers.split(separator: "\n").compactMap({ Int32($0) })
        where
            try Files.readText(FilePath("/proc/\(reader)/environ"))?.contains(sandbox.path.string) == true
        {
            kill(reader, SIGKILL)
        }
        #expect(throws: (any Error).self) { try repository.commit(head) }
        #expect(try repository.commit(head).id == head)
    }

    @Test func `extensions.preciousObjects needs no git process`() async throws {
        _ = try await RepositoryForm.sha1.make(in: sandbox)
        try await sandbox.sh(
            "git config core.repositoryFormatVersion 1 && git config extensions.preciousObjects true", in: "work")
        let repository = try Repository(sandbox.path.appending("work"))
        #expect(!repository.usesProgram)
        try Notes("refs/notes/x", in: repository).add([repository.resolve("HEAD"): ["a"]], message: "x")
    }
}
