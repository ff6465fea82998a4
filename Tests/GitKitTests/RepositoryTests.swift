import SystemPackage
import TestSupport
import Testing

@testable import GitKit

struct RepositoryTests {
    private let sandbox: Sandbox
    private let repository: Repository

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
    }

    @Test func `a folder outside every repository is named`() throws {
        let failure = #expect(throws: GitFailure.self) { try Repository(sandbox.path) }
        #expect(failure.map { "\($0)" } == "\(sandbox.path) is not inside a git repository")
    }

    @Test func `a commit has the id that git gives it`() async throws {
        let id = try await sandbox.sh("git rev-parse HEAD", in: "work")
        #expect(try repository.resolve("HEAD").hex + "\n" == id)
        #expect(try repository.commit(repository.resolve("main")).author.name == "ann")
    }

    @Test(arguments: ["nothing", "HEAD~7", "--all", "-oProxyCommand=x", "$(id)"])
    func `a revision that is none is named and not run`(text: String) {
        #expect(throws: GitFailure.unknownRevision(text)) { try repository.resolve(text) }
    }

    @Test func `a ref moves only from exactly what was read`() throws {
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

    @Test func `light, annotated and nested tags are told apart`() async throws {
        try await sandbox.sh(
            "git tag light && git tag -a -m x full && git tag -a -m x nested full && git tag 'm#prod#1'", in: "work")
        let head = try repository.resolve("HEAD")
        let tags = try repository.tags()
        #expect(tags.map(\.name) == ["full", "light", "m#prod#1", "nested"])
        #expect(tags.map { $0.object == nil } == [false, true, true, false])
        #expect(tags.allSatisfy { $0.target == head && $0.targetKind == .commit })
    }

    @Test func `the name inside a tag object is told apart from where it lies`() async throws {
        try await sandbox.sh(
            "git tag -a -m x m@v1.0.0 && git update-ref refs/tags/m@v9.9.9 refs/tags/m@v1.0.0", in: "work")
        let moved = try repository.tags().first { $0.name == "m@v9.9.9" }
        #expect(moved?.object?.name == "m@v1.0.0")
    }
}
