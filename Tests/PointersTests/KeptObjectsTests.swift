import Base
import GitKit
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Pointers

struct KeptObjectsTests {
    @Test func `kept content is listed as a pointer and found by another clone`() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        let repository = try Repository(sandbox.path.appending("work"))
        let remote = DirectoryRemote(sandbox.path.appending("remote"))
        let kept = KeptObjects(repository)
        let first = try await kept.add(Array("log one".utf8), remote: remote)
        let second = try await kept.add(Array("log two".utf8), remote: remote)
        let again = try await kept.add(Array("log one".utf8), remote: remote)
        #expect(first == again)
        let listed = try await sandbox.sh("git ls-tree -r --name-only refs/ml/objects | wc -l", in: "work")
        #expect(listed.trimmingTrailingSpace == "2")
        let hex = second.hex
        let text = try await sandbox.sh(
            "git show refs/ml/objects:\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))/\(hex)", in: "work")
        #expect(text == Pointer(digest: second, size: 7).text)

        try await sandbox.sh(
            "git clone -q work other && git -C other fetch -q origin refs/ml/objects:refs/ml/remotes/origin/objects")
        let other = KeptObjects(try Repository(sandbox.path.appending("other")))
        let bytes = try await other.read(second, remote: remote)
        #expect(bytes == Array("log two".utf8))
        let unknown = try await other.read(.of("x"), remote: remote)
        #expect(unknown == nil)
    }
}

struct DataTransferTests {
    @Test func `nothing is sent when content is missing on both sides`() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        let repository = try Repository(sandbox.path.appending("work"))
        let here = try repository.contentStore.insert(Array("abc".utf8))
        try sandbox.directory.write("work/here", Pointer(digest: here, size: 3).text)
        try sandbox.directory.write("work/lost", Pointer(digest: .of("lost"), size: 4).text)
        try await sandbox.sh("git add . && git commit -qm data", in: "work")
        let remote = DirectoryRemote(sandbox.path.appending("remote"))
        let transfer = DataTransfer(repository, store: repository.contentStore, remote: remote)
        let head = try repository.resolve("HEAD")
        let failure = await #expect(throws: MissingContent.self) { try await transfer.push(new: [head], old: []) }
        #expect(failure?.items.map(\.path) == ["lost"])
        #expect(remote.present([ContentID(here, size: 3)], for: .upload).isEmpty)
    }

    @Test func `a push sends what is new and nothing twice`() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        let repository = try Repository(sandbox.path.appending("work"))
        let digest = try repository.contentStore.insert(Array("abc".utf8))
        try sandbox.directory.write("work/data.bin", Pointer(digest: digest, size: 3).text)
        try await sandbox.sh("git add . && git commit -qm data", in: "work")
        let remote = DirectoryRemote(sandbox.path.appending("remote"))
        let transfer = DataTransfer(repository, store: repository.contentStore, remote: remote)
        let head = try repository.resolve("HEAD")
        let first = try await transfer.push(new: [head], old: [])
        let second = try await transfer.push(new: [head], old: [])
        #expect(first.map(\.digest) == [digest])
        #expect(second.isEmpty)
    }
}
