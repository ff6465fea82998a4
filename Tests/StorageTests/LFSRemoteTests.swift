import Base
import SystemPackage
import TestSupport
import Testing

@testable import Storage

/// A server with one repository, a store, and a client of it.
private struct Bench {
    let folder: TemporaryDirectory
    let server: LFSServer
    let objects: FilePath
    let store: ContentStore
    let settings: [(String, String)]

    init(users: [String] = [], settings: [(String, String)] = []) async throws {
        folder = try TemporaryDirectory()
        let root = folder.path.appending("root")
        try Files.makeDirectory(root)
        server = try await LFSServer(root: root, users: users)
        objects = try await server.makeRepository()
        store = ContentStore(folder.path.appending("store"))
        self.settings = [("remote.origin.url", "\(server.url)/r.git")] + settings
    }

    /// `credential` is what git's helper answers; what it is told stands in `told`.
    func remote(credential: String = "quit=1\n", told: FilePath? = nil) throws -> LFSRemote {
        let text = settings.map { "\($0)\n\($1)\0" }.joined()
        return try LFSRemote(
            LFSContext(LFSSettings(git: text), remote: "origin", directory: folder.path, ref: "refs/heads/main") {
                words, input in
                if let told {
                    try Files.append(Array((words.joined(separator: " ") + "\n").utf8) + input, to: told)
                }
                return ProcessResult(
                    status: words.last == "fill" && credential.hasPrefix("quit") ? 128 : 0,
                    output: words.last == "fill" ? Array(credential.utf8) : [], errors: "")
            })
    }

    func content(_ size: Int, seed: UInt64 = 1) throws -> ContentID {
        var generator = SeededGenerator(seed: seed)
        let bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return ContentID(try store.insert(bytes), size: Int64(size))
    }

    func contents(_ count: Int) throws -> [ContentID] { try store.insert(many: (0..<count).map { "content \($0)" }) }

    func isAtServer(_ content: ContentID) -> Bool { ContentStore(objects).contains(content.digest, size: content.size) }

    /// Puts content there and takes it away here.
    func move(_ contents: [ContentID]) throws {
        try store.hand(contents, to: ContentStore(objects))
    }
}

@Suite(.serialized) struct LFSRemoteTests {
    private static func quick() -> Retry {
        var retry = Retry()
        retry.base = .milliseconds(5)
        return retry
    }

    private func transfer(_ remote: LFSRemote, _ bench: Bench) -> Transfer {
        Transfer(RetryingRemote(remote, Self.quick()), store: bench.store)
    }

    @Test func `five hundred objects go up and come back in batches of a hundred`() async throws {
        let bench = try await Bench()
        let contents = try bench.contents(500)
        let remote = try bench.remote()
        let before = try await remote.present(contents, for: .upload)
        #expect(before == [])
        try await transfer(remote, bench).upload(contents)
        #expect(contents.allSatisfy(bench.isAtServer))
        #expect(try bench.server.count("POST", "/objects/batch") == 5)
        let after = try await remote.present(contents, for: .upload)
        #expect(after == Set(contents))
        try bench.move(contents)
        _ = try await remote.present(contents, for: .download)
        try await transfer(remote, bench).download(contents)
        #expect(contents.allSatisfy { bench.store.contains($0.digest, size: $0.size) })
        #expect(try bench.server.count("POST", "/objects/batch") == 15)
    }

    @Test func `those who ask for one at a time are answered together`() async throws {
        let bench = try await Bench()
        let contents = try (0..<40).map { try bench.content(50, seed: UInt64($0)) }
        try bench.move(contents)
        try await transfer(bench.remote(), bench).download(contents)
        // One for those that wait, which takes the others along; eight may wait for a second one that is under way.
        #expect(try bench.server.count("POST", "/objects/batch") <= 2)
    }

    @Test func `what is nowhere is missing, and what is there in another size is told of`() async throws {
        let bench = try await Bench()
        let content = try bench.content(10)
        let remote = try bench.remote()
        let there = try await remote.present([content], for: .download)
        #expect(there == [])
        let file = bench.folder.path.appending("x")
        await #expect(throws: StorageFailure.missing(content.digest, remote: remote.address)) {
            try await remote.download(content, to: file) { _ in }
        }
        try bench.move([content])
        let lie = ContentID(content.digest, size: 11)
        let failure = StorageFailure.wrongSize(content.digest, said: 11, size: nil, place: remote.address)
        await #expect(throws: failure) { try await remote.present([lie], for: .download) }
        await #expect(throws: failure) { try await remote.download(lie, to: file) { _ in } }
    }

    @Test(arguments: [
        #"{"batch-503":{"times":2}}"#, #"{"batch-429":2}"#, #"{"upload-503":2}"#,
        #"{"upload-cut":{"times":2,"at":70000}}"#,
        #"{"expired":2}"#, #"{"action-410":1}"#, #"{"action-403":1}"#, #"{"relative":-1}"#,
        #"{"batch-limit":{"times":-1,"max":1}}"#,
        #"{"upload-lost":1}"#, #"{"upload-lost":1,"no-verify":-1}"#, #"{"verify-404":1}"#,
    ])
    func `an upload gets through a server that fails for a while`(faults: String) async throws {
        let bench = try await Bench()
        let contents = [try bench.content(200_000), try bench.content(100, seed: 2)]
        try bench.server.misbehave(faults)
        let remote = try bench.remote()
        let retrying = RetryingRemote(remote, Self.quick())
        _ = try await retrying.present(contents, for: .upload)
        try await transfer(remote, bench).upload(contents)
        #expect(contents.allSatisfy(bench.isAtServer))
    }

    @Test(arguments: [
        #"{"batch-503":{"times":2}}"#, #"{"download-503":2}"#, #"{"download-cut":{"times":3,"at":70000}}"#,
        #"{"download-wrong":1}"#, #"{"expired":1}"#, #"{"action-410":1}"#, #"{"action-401":1}"#,
        #"{"no-range":1,"download-cut":{"times":1,"at":70000}}"#,
        #"{"download-416":1,"download-cut":{"times":1,"at":70000}}"#,
    ])
    func `a download gets through a server that fails for a while`(faults: String) async throws {
        let bench = try await Bench()
        let content = try bench.content(300_000)
        try bench.move([content])
        try bench.server.misbehave(faults)
        try await transfer(bench.remote(), bench).download([content])
        #expect(bench.store.contains(content.digest, size: content.size))
        #expect(try Files.list(bench.store.root.appending("incoming")).isEmpty)
    }

    @Test func `a cut download goes on where it stopped`() async throws {
        let bench = try await Bench()
        let content = try bench.content(300_000)
        try bench.move([content])
        try bench.server.misbehave(#"{"download-cut":{"times":1,"at":100000}}"#)
        try await transfer(bench.remote(), bench).download([content])
        let ranges = try bench.server.requests().compactMap { $0["range"]?.string }
        #expect(ranges == ["bytes=100000-"])
    }

    @Test(arguments: [
        (#"{"batch-html":-1}"#, "web page"),
        (#"{"batch-error":{"times":-1,"code":422,"message":"too odd"}}"#, "too odd"),
        (#"{"batch-error":{"times":-1,"code":507,"message":"full"}}"#, "full"),
        (#"{"batch-short":-1}"#, "says nothing of it"),
        (
            #"{"batch-top-level":{"times":-1,"status":403,"message":"read only","documentation_url":"https://d","request_id":"r7"}}"#,
            "read only (status 403), request r7"
        ),
        (#"{"upload-507":-1}"#, "no room left"),
        (#"{"href-prefix":{"times":-1,"to":"http://169.254.169.254"}}"#, "own network"),
        (#"{"href-prefix":{"times":-1,"to":"file://"}}"#, "none that HTTP leads to"),
    ])
    func `an upload that cannot succeed is told of once, in the server's words`(faults: String, words: String)
        async throws
    {
        let bench = try await Bench()
        let content = try bench.content(100)
        try bench.server.misbehave(faults)
        let remote = try bench.remote()
        do {
            _ = try await RetryingRemote(remote, Self.quick()).present([content], for: .upload)
            try await transfer(remote, bench).upload([content])
            Issue.record("it went through")
        } catch let failure as RemoteFailure {
            #expect(failure.description.contains(words), "\(failure)")
            #expect(!failure.retryable)
        }
        #expect(!bench.isAtServer(content))
        #expect(try bench.server.requests().count <= 2)
    }

    @Test func `a page instead of content never gets in`() async throws {
        let bench = try await Bench()
        let content = try bench.content(100)
        try bench.move([content])
        try bench.server.misbehave(#"{"download-html":-1}"#)
        await #expect(throws: RemoteFailure.self) { try await transfer(bench.remote(), bench).download([content]) }
        #expect(!bench.store.contains(content.digest, size: content.size))
    }

    // MARK: Credentials

    @Test func `git's helper is asked once, and told whether it was right`() async throws {
        let bench = try await Bench(users: ["ann:secret"])
        let contents = try (0..<30).map { try bench.content(50, seed: UInt64($0)) }
        let told = bench.folder.path.appending("told")
        let remote = try bench.remote(credential: "username=ann\npassword=secret\n", told: told)
        _ = try await remote.present(contents, for: .upload)
        try await transfer(remote, bench).upload(contents)
        #expect(contents.allSatisfy(bench.isAtServer))
        let text = try #require(try Files.readText(told))
        let words = text.split(separator: "\n").filter { $0.hasPrefix("credential") || $0.hasPrefix("config") }
        #expect(
            words == [
                "credential fill", "credential approve",
                "config --local lfs.\(bench.server.url)/r.git/info/lfs.access basic",
            ])
        #expect(text.contains("protocol=http\nhost=127.0.0.1:"))
    }

    @Test func `a credential that is refused is taken back, and the failure is no retry`() async throws {
        let bench = try await Bench(users: ["ann:secret"])
        let content = try bench.content(50)
        let told = bench.folder.path.appending("told")
        let remote = try bench.remote(credential: "username=ann\npassword=wrong\n", told: told)
        do {
            _ = try await remote.present([content], for: .upload)
            Issue.record("it went through")
        } catch let failure as RemoteFailure {
            #expect(failure.reason == .unauthorized && !failure.retryable)
            #expect(!"\(failure) \(failure.hints)".contains("wrong"))
        }
        #expect(try Files.readText(told)?.contains("credential reject\nusername=ann\npassword=wrong") == true)
    }

    @Test func `without an answer of the helpers the failure says so`() async throws {
        let bench = try await Bench(users: ["ann:secret"])
        do {
            _ = try await bench.remote().present([bench.content(50)], for: .upload)
            Issue.record("it went through")
        } catch let failure as RemoteFailure {
            #expect(failure.description.contains("credential helpers have no answer"))
        }
    }

    @Test func `user and password in the address are used and never shown`() async throws {
        let bench = try await Bench(users: ["ann:p%40ss:x"].map { $0.replacing("%40", with: "@") })
        let content = try bench.content(50)
        let address = bench.server.url.replacing("http://", with: "http://ann:p%40ss%3Ax@")
        let remote = try LFSRemote(
            LFSContext(LFSSettings(git: "remote.origin.url\n\(address)/r.git\0"), remote: "origin", directory: "/") {
                _, _ in
                ProcessResult(status: 1, output: [], errors: "")
            })
        #expect(remote.address == "\(bench.server.url)/r.git/info/lfs")
        try await transfer(remote, bench).upload([content])
        #expect(bench.isAtServer(content))
    }

    @Test func `what a redirect leads to another host gets neither credentials nor headers`() async throws {
        let bench = try await Bench(users: ["ann:secret"], settings: [("http.extraheader", "X-Extra: for-me")])
        let other = try await Bench()
        let content = try bench.content(50)
        try bench.server.misbehave(
            #"{"batch-redirect":{"times":-1,"to":"\#(other.server.url)/r.git/info/lfs/objects/batch"}}"#)
        let remote = try bench.remote(credential: "username=ann\npassword=secret\n")
        _ = try await remote.present([content], for: .upload)
        let there = try other.server.requests()
        #expect(there.map { $0["authorization"] } == [.null] && there.map { $0["extra"] } == [.null])
        #expect(try bench.server.requests().contains { $0["extra"] == "for-me" && $0["authorization"] == "Basic" })
    }
}

@Suite(.serialized) struct LFSLocksTests {
    private func locks(_ bench: Bench, user: String) throws -> LFSLocks {
        let url = bench.server.url.replacing("http://", with: "http://\(user):x@")
        return try LFSLocks(
            LFSContext(LFSSettings(git: "remote.origin.url\n\(url)/r.git\0"), remote: "origin", directory: "/") {
                _, _ in
                ProcessResult(status: 1, output: [], errors: "")
            })
    }

    @Test func `locks are set, listed over pages, found and taken away by their owner only`() async throws {
        let bench = try await Bench(users: ["ann:x", "bob:x"])
        let (ann, bob) = (try locks(bench, user: "ann"), try locks(bench, user: "bob"))
        for name in ["a", "b&c=d", "ü", "d", "e"] { _ = try await ann.lock(name) }
        _ = try await bob.lock("f")
        let all = try await bob.all()
        #expect(all.map(\.path) == ["a", "b&c=d", "d", "e", "f", "ü"])
        #expect(all.map(\.owner) == ["ann", "ann", "ann", "ann", "bob", "ann"])
        let verified = try await bob.verify()
        #expect(verified.ours.map(\.path) == ["f"] && verified.theirs.count == 5)
        await #expect(throws: LFSLockFailure.taken(path: "a", owner: "ann")) { _ = try await bob.lock("a") }
        let found = try await bob.find("b&c=d")
        let lock = try #require(found)
        await #expect(throws: LFSLockFailure.refused(path: "b&c=d", owner: "ann", reason: "it belongs to ann")) {
            try await bob.unlock(lock, force: false)
        }
        try await bob.unlock(lock, force: true)
        let gone = try await bob.find("b&c=d")
        #expect(gone == nil)
    }

    @Test func `a server without locks is named`() async throws {
        let bench = try await Bench(users: ["ann:x"])
        try bench.server.misbehave(#"{"locks-404":-1}"#)
        let ann = try locks(bench, user: "ann")
        await #expect(throws: LFSLockFailure.unsupported("\(bench.server.url)/r.git/info/lfs")) {
            _ = try await ann.all()
        }
    }
}
