import Base
import SystemPackage
import TestSupport
import Testing

@testable import Storage

struct ContentStoreTests {
    private let folder: TemporaryDirectory
    private let store: ContentStore

    init() throws {
        folder = try TemporaryDirectory()
        store = ContentStore(folder.path.appending("store"))
    }

    @Test func `content lies where git-lfs keeps it`() throws {
        let digest = try store.insert(Array("abc".utf8))
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(digest.hex == hex)
        #expect(try Files.readText(folder.path.appending(FilePath("store/ba/78/\(hex)").components)) == "abc")
    }

    @Test func `a producer that fails leaves nothing behind`() throws {
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try store.insert { put in
                try [UInt8](repeating: 1, count: 10).withUnsafeBytes { try put($0) }
                throw Stop()
            }
        }
        #expect(try Files.list(folder.path.appending("store").appending("incoming")).isEmpty)
    }

    @Test func `a copy whose bytes are not what they are said to be never gets in`() throws {
        let file = try folder.write("file", "abd")
        let digest = Digest.of("abc")
        #expect(throws: StorageFailure.damaged(digest, place: file.string)) {
            try store.insert(copyOf: file, as: digest, size: 3)
        }
        #expect(!store.contains(digest, size: 3))
        #expect(try Files.list(store.root.appending("incoming")).isEmpty)
    }

    @Test func `a file of another size counts as absent and is replaced`() throws {
        let digest = try store.insert(Array("abc".utf8))
        try Files.replace(store.path(of: digest), with: "ab".utf8)
        #expect(!store.contains(digest, size: 3))
        try store.insert(Array("abc".utf8))
        #expect(store.contains(digest, size: 3))
    }

    @Test func `a store in a folder that is the group's is the group's, its partial files too`() throws {
        let place = folder.path.appending("shared")
        try Files.makeDirectory(place)
        #expect(!ContentStore.inheriting(place.appending("a").appending("b")).isShared)
        _ = place.withPlatformString { chmod($0, 0o2775) }
        let shared = ContentStore.inheriting(place.appending("a").appending("b"))
        #expect(shared.isShared)
        let digest = try shared.insert(Array("abc".utf8))
        let part = try #require(try PartialFile.ifFree("x.part", in: shared))
        for file in [shared.path(of: digest), part.path] {
            #expect((Files.status(file)?.mode ?? 0) & 0o060 == 0o060, "\(file)")
            #expect((Files.status(file.removingLastComponent())?.mode ?? 0) & 0o2070 == 0o2070, "\(file)")
        }
    }
}
