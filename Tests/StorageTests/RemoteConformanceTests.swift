import Base
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Storage

/// What every remote does.
@Suite struct RemoteConformanceTests {
    private let folder: TemporaryDirectory
    private let store: ContentStore
    private let other: ContentStore

    init() throws {
        folder = try TemporaryDirectory()
        store = ContentStore(folder.path.appending("store"))
        other = ContentStore(folder.path.appending("other"))
    }

    private func content(_ count: Int, seed: UInt64) throws -> ContentID {
        ContentID(try store.insert(bytes(count, seed: seed)), size: Int64(count))
    }

    @Test(arguments: RemoteKind.allCases)
    func `what was sent comes back the same, and other programs read it`(kind: RemoteKind) async throws {
        let server = try await RemoteServer(kind)
        let remote = try server.remote()
        try await remote.check()
        // The last ones go up in parts.
        let contents = try [0, 1, 70_000, 5 << 20, 5 << 20 + 1, 12_000_003].enumerated().map {
            try content($0.element, seed: UInt64($0.offset))
        }
        let before = try await remote.present(contents, for: .upload)
        #expect(before.isEmpty)
        let sent = Counter()
        try await Transfer(remote, store: store) { moved, _ in sent.add(moved) }.upload(contents)
        #expect(sent.value == contents.reduce(0) { $0 + $1.size })
        let after = try await remote.present(contents, for: .download)
        #expect(after == Set(contents))
        let lies = try await remote.present(contents.map { ContentID($0.digest, size: $0.size + 1) }, for: .upload)
        #expect(lies.isEmpty)
        for content in contents {
            let read = try await server.read(content)
            #expect(read.map { Digest.of($0) } == content.digest)
        }
        let received = Counter()
        try await Transfer(remote, store: other) { moved, _ in received.add(moved) }.download(contents)
        #expect(received.value == sent.value)
        for content in contents {
            #expect(try Digest.of(file: other.path(of: content.digest)).digest == content.digest)
        }
        #expect(try Files.list(other.root.appending("incoming")).isEmpty)
    }

    @Test(arguments: RemoteKind.allCases, [-1, 1])
    func `content that has another size than was said is named as such`(kind: RemoteKind, more: Int64) async throws {
        let server = try await RemoteServer(kind)
        let remote = try server.remote()
        let content = try content(70_000, seed: 9)
        try await Transfer(remote, store: store).upload([content])
        let lie = ContentID(content.digest, size: content.size + more)
        let failure = await #expect(throws: StorageFailure.self) {
            try await Transfer(remote, store: other).download([lie])
        }
        #expect(failure?.kind == .corrupt)
        #expect(failure?.description.contains(content.digest.short) == true)
        #expect(try other.all().isEmpty)
        // The size as the remote has it; an LFS server does not say.
        let size = try await remote.size(of: lie)
        #expect(size == (kind == .lfs ? nil : content.size))
    }

    @Test(arguments: RemoteKind.allCases)
    func `a stretch of a content comes by itself`(kind: RemoteKind) async throws {
        let server = try await RemoteServer(kind)
        let remote = try server.remote()
        let content = try content(700_000, seed: 11)
        try await Transfer(remote, store: store).upload([content])
        let all = bytes(700_000, seed: 11)
        for range in [0..<1, 0..<700_000, 100_000..<400_123, 699_999..<700_000] as [Range<Int64>] {
            let part = try await RetryingRemote(remote).bytes(of: content, range)
            #expect(part == Array(all[Int(range.lowerBound)..<Int(range.upperBound)]), "\(range)")
        }
        let nothing = try? await remote.bytes(of: ContentID(.of("absent"), size: 700_000), 5..<10)
        #expect(nothing == nil)
    }

    @Test(arguments: RemoteKind.allCases)
    func `which of many are there is asked in few calls`(kind: RemoteKind) async throws {
        let server = try await RemoteServer(kind, proxy: [])
        let remote = try server.remote()
        // More than one page of each service's listing.
        let count = kind.isFolder ? 1100 : 120
        let texts = (0..<count).map { "content \($0)" }
        let contents = texts.map { ContentID(.of($0), size: Int64($0.utf8.count)) }
        if kind.isFolder {
            try await server.place(texts)
        } else {
            try await Transfer(remote, store: store).upload(store.insert(many: texts))
        }
        let absent = (0..<count).map { ContentID(.of("absent \($0)"), size: 10) }
        let wrongSize = contents.map { ContentID($0.digest, size: $0.size + 1) }
        let before = try server.requests().count
        let found = try await remote.present(contents + absent + wrongSize, for: .upload)
        #expect(found == Set(contents))
        let calls = try server.requests().count - before
        #expect(calls <= (kind == .directory ? 0 : kind.rawValue.hasPrefix("Azure") ? 240 : 20))
    }

    @Test(arguments: RemoteKind.buckets)
    func `an upload in parts that was interrupted is continued`(kind: RemoteKind) async throws {
        let server = try await RemoteServer(kind, proxy: [])
        let remote = try server.remote()
        let content = try content(26 << 20, seed: 7)
        let sent = Counter()
        // Stopped by who counts the bytes: a test that looks from outside may be too late.
        let running = Mutex<Task<Void, any Error>?>(nil)
        let upload = Task {
            try await Transfer(remote, store: store) { moved, _ in
                sent.add(moved)
                if sent.value >= 16 << 20 { running.withLock { $0 }?.cancel() }
            }.upload([content])
        }
        running.withLock { $0 = upload }
        await #expect(throws: (any Error).self) { try await upload.value }
        let between = try await remote.present([content], for: .upload)
        #expect(between.isEmpty)
        let before = try server.requests().filter { $0.contains(" PUT ") }.count
        try await Transfer(remote, store: store).upload([content])
        let again = try server.requests().filter { $0.contains(" PUT ") }.count - before
        // Six parts, of which at least two had gone; Azure puts the list as well.
        #expect(again <= (kind.rawValue.hasPrefix("Azure") ? 5 : 4))
        let read = try await server.read(content)
        #expect(read.map { Digest.of($0) } == content.digest)
    }

    @Test(arguments: RemoteKind.allCases, [1, 4096, 999_999])
    func `a download that was interrupted is continued`(kind: RemoteKind, length: Int) async throws {
        let server = try await RemoteServer(kind)
        let remote = try server.remote()
        let content = try content(1_000_000, seed: 3)
        try await Transfer(remote, store: store).upload([content])
        let part = other.root.appending("incoming").appending("\(content.digest.hex).part")
        try Files.replace(part, with: bytes(1_000_000, seed: 3)[..<length])
        let received = Counter()
        try await remote.download(content, to: part) { received.add($0) }
        #expect(received.value == Int64(1_000_000 - length))
        try await Transfer(remote, store: other).download([content])
        #expect(try Digest.of(file: other.path(of: content.digest)).digest == content.digest)
    }

    @Test(arguments: RemoteKind.buckets)
    func `a connection that breaks is met by asking for the rest`(kind: RemoteKind) async throws {
        let server = try await RemoteServer(kind)
        let content = try content(1_000_000, seed: 4)
        try await Transfer(server.remote(), store: store).upload([content])
        // The folder behind moto and Azure is in their memory: the same server, another proxy before it.
        let (port, proxy) = try await RemoteServer.script(
            [RemoteServer.scripts.appending("counting_proxy.py").string, "\(server.port)", "100000", "3"], folder,
            "cutting")
        defer { extendLifetime(proxy) }
        let environment = server.environment.mapValues { $0.replacing(":\(server.port)", with: ":\(port)") }
        let remote = try objectRemote(server.address, environment: environment)
        try await Transfer(remote, store: other).download([content])
        #expect(try Digest.of(file: other.path(of: content.digest)).digest == content.digest)
    }

    @Test(arguments: RemoteKind.allCases)
    func `wrong bytes are refused, on one side or the other`(kind: RemoteKind) async throws {
        let server = try await RemoteServer(kind)
        let remote = try server.remote()
        let right = bytes(50_000, seed: 1)
        let content = ContentID(.of(right), size: 50_000)
        let file = try folder.write("wrong", String(repeating: "x", count: 50_000))
        do { try await remote.upload(content, from: file) { _ in } } catch {}
        let found = try await remote.present([content], for: .download)
        await #expect(throws: StorageFailure.self) { try await Transfer(remote, store: other).download([content]) }
        #expect(!other.contains(content.digest, size: content.size))
        #expect(try Files.list(other.root.appending("incoming")).filter { $0 != "\(content.digest.hex).part" }.isEmpty)
        if kind == .directory { #expect(found.isEmpty) }
        // What has rotted in our own store is not sent.
        try Files.replace(store.path(of: content.digest), with: [UInt8](repeating: 0, count: 50_000))
        let failure = await #expect(throws: StorageFailure.self) {
            try await Transfer(remote, store: store).upload([content])
        }
        #expect(failure?.kind == .corrupt)
    }

    @Test(arguments: RemoteKind.allCases)
    func `what is not there is named`(kind: RemoteKind) async throws {
        let server = try await RemoteServer(kind)
        let remote = try server.remote()
        let content = ContentID(.of("never sent"), size: 10)
        await #expect(throws: StorageFailure.missing(content.digest, remote: remote.address)) {
            try await Transfer(remote, store: other).download([content])
        }
    }

    @Test(arguments: RemoteKind.allCases)
    func `many may send the same at once`(kind: RemoteKind) async throws {
        let server = try await RemoteServer(kind)
        let remote = try server.remote()
        let contents = try [content(30_000, seed: 5), content(11 << 20, seed: 6)]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try await Transfer(remote, store: store).upload(contents) } }
            try await group.waitForAll()
        }
        for content in contents {
            let read = try await server.read(content)
            #expect(read.map { Digest.of($0) } == content.digest)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try await Transfer(remote, store: other).download(contents) } }
            try await group.waitForAll()
        }
        for content in contents {
            #expect(try Digest.of(file: other.path(of: content.digest)).digest == content.digest)
        }
        #expect(try Files.list(other.root.appending("incoming")).isEmpty)
    }

    @Test(arguments: RemoteKind.buckets.filter { $0 != .s3OfMoto && $0 != .googleByToken })
    func `wrong keys are a failure that says so and does not show them`(kind: RemoteKind) async throws {
        let server = try await RemoteServer(kind)
        let wrong = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc="
        var environment = server.environment
        for (name, value) in environment where value == RemoteServer.secret { environment[name] = wrong }
        if kind == .azureByToken { environment["AZURE_STORAGE_SAS_TOKEN"] = "sig=\(wrong)" }
        let remote = try objectRemote(server.address, environment: environment)
        let failure = await #expect(throws: RemoteFailure.self) { try await remote.check() }
        #expect(failure.map { [.unauthorized, .forbidden].contains($0.reason) } == true)
        #expect(failure.map { "\($0) \($0.hints)".contains(wrong) } == false)
        #expect(failure?.hints.isEmpty == false)
    }

    @Test(arguments: RemoteKind.buckets)
    func `a bucket that is not there is named, with what makes it`(kind: RemoteKind) async throws {
        let server = try await RemoteServer(kind)
        let address = server.address.replacing("bucket", with: "no-bucket").replacing("/data", with: "/no-container")
        let remote = try objectRemote(address, environment: server.environment)
        let content = try content(10, seed: 1)
        let failure = await #expect(throws: RemoteFailure.self) {
            try await Transfer(remote, store: store).upload([content])
        }
        #expect(failure?.reason == .noSuchPlace)
        #expect(failure?.hints.first?.hasPrefix("make it: `") == true)
    }
}

final class Counter: Sendable {
    private let sum = Mutex<Int64>(0)
    func add(_ count: Int64) { sum.withLock { $0 += count } }
    var value: Int64 { sum.withLock { $0 } }
}
