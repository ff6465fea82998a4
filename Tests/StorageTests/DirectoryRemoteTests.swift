import Base
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Storage

struct DirectoryRemoteTests {
    private let folder: TemporaryDirectory
    private let store: ContentStore
    private let remote: DirectoryRemote

    init() throws {
        folder = try TemporaryDirectory()
        store = ContentStore(folder.path.appending("store"))
        remote = DirectoryRemote(folder.path.appending("remote"))
    }

    @Test func `what was sent comes back the same`() async throws {
        let content = ContentID(try store.insert(Array("abc".utf8)), size: 3)
        #expect(remote.present([content], for: .upload).isEmpty)
        try await Transfer(remote, store: store).upload([content])
        #expect(remote.present([content], for: .download) == [content])
        let other = ContentStore(folder.path.appending("other"))
        try await Transfer(remote, store: other).download([content])
        #expect(try Files.readText(other.path(of: content.digest)) == "abc")
        #expect(try Files.list(other.root.appending("incoming")).isEmpty)
    }

    @Test func `bytes that rotted at the remote are refused`() async throws {
        let content = ContentID(try store.insert(Array("abc".utf8)), size: 3)
        try await Transfer(remote, store: store).upload([content])
        let place = ContentStore(folder.path.appending("remote")).path(of: content.digest)
        try Files.replace(place, with: "abd".utf8)
        let other = ContentStore(folder.path.appending("other"))
        await #expect(throws: StorageFailure.damaged(content.digest, place: remote.address)) {
            try await Transfer(remote, store: other).download([content])
        }
        #expect(!other.contains(content.digest, size: 3))
        #expect(try Files.list(other.root.appending("incoming")).isEmpty)
    }

    @Test func `what is not there is named with its place`() async throws {
        let content = ContentID(Digest.of("abc"), size: 3)
        await #expect(throws: StorageFailure.missing(content.digest, remote: remote.address)) {
            try await Transfer(remote, store: store).download([content])
        }
    }

    @Test func `many go and come back, and one that is missing takes none of the others away`() async throws {
        let contents = try store.insert(many: (0..<300).map { "content \($0)" })
        try await Transfer(remote, store: store).upload(contents)
        #expect(remote.present(contents, for: .download) == Set(contents))
        let lost = contents[150]
        let there = ContentStore(folder.path.appending("remote"))
        Files.remove(there.path(of: lost.digest))
        let other = ContentStore(folder.path.appending("other"))
        await #expect(throws: StorageFailure.missing(lost.digest, remote: remote.address)) {
            try await Transfer(remote, store: other).download(contents)
        }
        #expect(contents.contains { other.contains($0.digest, size: $0.size) })
        try await Transfer(remote, store: store).upload([lost])
        let total = Mutex<Int64>(0)
        try await Transfer(remote, store: other) { count, _ in total.withLock { $0 += count } }.download(contents)
        #expect(contents.allSatisfy { (try? other.isWhole($0.digest)) == true })
        #expect(total.withLock { $0 } < contents.reduce(0) { $0 + $1.size })
        #expect(try Files.list(other.root.appending("incoming")).isEmpty)
        #expect(try Files.list(there.root.appending("incoming")).isEmpty)
    }

    @Test(arguments: ["abd", "abcd", "ab"])
    func `bytes that rotted here are not sent`(text: String) async throws {
        let content = ContentID(try store.insert(Array("abc".utf8)), size: 3)
        try Files.replace(store.path(of: content.digest), with: Array(text.utf8))
        await #expect(throws: StorageFailure.self) { try await Transfer(remote, store: store).upload([content]) }
        #expect(throws: StorageFailure.self) {
            try remote.upload(content, from: store.path(of: content.digest)) { _ in }
        }
        #expect(try ContentStore(folder.path.appending("remote")).all().isEmpty)
        #expect(try Files.list(folder.path.appending("remote").appending("incoming")).isEmpty)
    }

    @Test(arguments: ["ab", "xy", "abcd", "abx"])
    func `what an interrupted download left is continued, or begun anew when it was bad`(left: String) async throws {
        let content = ContentID(try store.insert(Array("abc".utf8)), size: 3)
        try await Transfer(remote, store: store).upload([content])
        let other = ContentStore(folder.path.appending("other"))
        try folder.write("other/incoming/\(content.digest.hex).part", left)
        try await Transfer(remote, store: other).download([content])
        #expect(try Files.readText(other.path(of: content.digest)) == "abc")
        #expect(try Files.list(other.root.appending("incoming")).isEmpty)
    }
}
