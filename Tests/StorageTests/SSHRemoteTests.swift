import Base
import SystemPackage
import TestSupport
import Testing

@testable import Storage

@Suite(.serialized) struct SSHRemoteTests {
    private let folder: TemporaryDirectory
    private let server: SSHServer
    private let store: ContentStore

    init() async throws {
        folder = try TemporaryDirectory()
        server = try await SSHServer(folder.path.appending("ssh"))
        store = ContentStore(folder.path.appending("store"))
    }

    private func remote(_ path: String? = nil, command: String? = nil) throws -> SSHRemote {
        let settings = LFSSettings(git: "core.sshcommand\n\(command ?? server.command)\0")
        return try SSHRemote(
            "ssh://\(server.address)\(path ?? folder.path.appending("there").string)", settings: settings)
    }

    private func content(_ size: Int, seed: UInt64 = 1) throws -> ContentID {
        var generator = SeededGenerator(seed: seed)
        var bytes = [UInt8](repeating: 0, count: size)
        for i in stride(from: 0, to: size, by: 8) {
            withUnsafeBytes(of: generator.next()) { word in
                for (j, byte) in word.enumerated() where i + j < size { bytes[i + j] = byte }
            }
        }
        return ContentID(try store.insert(bytes), size: Int64(size))
    }

    @Test func `content goes there under the common layout and comes back, in a few connections`() async throws {
        let contents = try (0..<60).map { try content($0 * 700, seed: UInt64($0)) } + [content(9_000_001)]
        let remote = try remote()
        let before = try await remote.present(contents, for: .upload)
        #expect(before == [])
        try await Transfer(remote, store: store).upload(contents)
        let there = ContentStore(folder.path.appending("there"))
        for content in contents {
            #expect(try Digest.of(file: there.path(of: content.digest)) == (content.digest, content.size))
            Files.remove(store.path(of: content.digest))
        }
        #expect(try Files.list(there.root.appending("incoming")) == [])
        let after = try await remote.present(contents, for: .download)
        #expect(after == Set(contents))
        try await Transfer(remote, store: store).download(contents)
        #expect(contents.allSatisfy { store.contains($0.digest, size: $0.size) })
        #expect(try server.connections() <= 8)
    }

    @Test func `what an interrupted upload left is gone on with, and wrong leftovers are written over`() async throws {
        let content = try content(5_000_000)
        let bytes = try #require(try Files.read(store.path(of: content.digest)))
        let part = folder.path.appending("there").appending("incoming").appending("\(content.digest.hex).part")
        // Its last MiB is not to be trusted: after a power cut it may be zeros.
        try Files.replace(part, with: bytes[..<2_000_000] + [UInt8](repeating: 0, count: 900_000))
        let sent = Sent()
        let remote = try remote()
        try await remote.upload(content, from: store.path(of: content.digest)) { sent.add($0) }
        #expect(sent.total == 5_000_000 && sent.first == 2_900_000 - 1 << 20)
        let there = ContentStore(folder.path.appending("there"))
        #expect(try Digest.of(file: there.path(of: content.digest)) == (content.digest, content.size))
        #expect(Files.status(part) == nil)
        let small = try self.content(100, seed: 2)
        let other = folder.path.appending("there").appending("incoming").appending("\(small.digest.hex).part")
        try Files.replace(other, with: [UInt8](repeating: 1, count: 5000))
        try await remote.upload(small, from: store.path(of: small.digest)) { _ in }
        #expect(try Digest.of(file: there.path(of: small.digest)) == (small.digest, small.size))
    }

    @Test func `a partial download is gone on with`() async throws {
        let content = try content(3_000_000)
        let remote = try remote()
        try await remote.upload(content, from: store.path(of: content.digest)) { _ in }
        let bytes = try #require(try Files.read(store.path(of: content.digest)))
        let file = folder.path.appending("part")
        try Files.replace(file, with: bytes[..<1_234_567])
        let received = Sent()
        try await remote.download(content, to: file) { received.add($0) }
        #expect(received.total == 3_000_000 - 1_234_567)
        #expect(try Files.read(file) == bytes)
    }

    @Test func `two that send the same at once do not disturb each other`() async throws {
        let content = try content(4_000_000)
        let file = store.path(of: content.digest)
        let remotes = try (0..<4).map { _ in try remote() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for remote in remotes { group.addTask { try await remote.upload(content, from: file) { _ in } } }
            try await group.waitForAll()
        }
        let there = ContentStore(folder.path.appending("there"))
        #expect(try Digest.of(file: there.path(of: content.digest)) == (content.digest, content.size))
        #expect(try Files.list(there.root.appending("incoming")) == [])
    }

    @Test func `what is not there is missing, and another size is absent`() async throws {
        let content = try content(10)
        let remote = try remote()
        await #expect(throws: StorageFailure.missing(content.digest, remote: remote.address)) {
            try await remote.download(content, to: folder.path.appending("x")) { _ in }
        }
        let there = ContentStore(folder.path.appending("there"))
        try Files.replace(there.path(of: content.digest), with: [1, 2, 3])
        let present = try await remote.present([content], for: .download)
        #expect(present == [])
        await #expect(throws: RemoteFailure.self) {
            try await remote.download(content, to: folder.path.appending("x")) { _ in }
        }
    }

    @Test func `a folder that may not be written is told of, and a host that is not there, without trying again`()
        async throws
    {
        let content = try content(10)
        func failure(_ remote: SSHRemote) async -> RemoteFailure? {
            do {
                try await remote.upload(content, from: store.path(of: content.digest)) { _ in }
                return nil
            } catch { return error as? RemoteFailure }
        }
        let unwritable = await failure(try remote("/proc/nowhere"))
        #expect(unwritable?.retryable == false, "\(String(describing: unwritable))")
        let wrongKey = await failure(try remote(command: server.command.replacing("-i ", with: "-i /nonexistent")))
        #expect(wrongKey?.reason == .unauthorized, "\(String(describing: wrongKey))")
        let silent = await failure(try remote(command: "true"))
        #expect(silent?.reason == .unreachable, "\(String(describing: silent))")
        let chatty = await failure(try remote(command: "printf 'Welcome to this host!!\\n' #"))
        #expect(chatty?.description.contains("does not speak sftp") == true, "\(String(describing: chatty))")
    }

    @Test(arguments: ["ssh://-oProxyCommand=touch%20x/data", "ssh://host", "http://host/x"])
    func `an address that leads nowhere is refused at once`(address: String) {
        #expect(throws: (any Error).self) { try SSHRemote(address, settings: LFSSettings()) }
    }
}

private final class Sent: @unchecked Sendable {  // one upload calls it from one thread
    private(set) var total: Int64 = 0
    private(set) var first: Int64?
    func add(_ count: Int64) {
        total += count
        first = first ?? count
    }
}
