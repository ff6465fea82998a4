import SystemPackage
import TestSupport
import Testing

@testable import Base

struct FilesTests {
    struct Stop: Error {}

    @Test func `a replacement that fails leaves the old content and nothing else`() throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("a.txt", "old")
        #expect(throws: Stop.self) {
            try Files.replace(file) { descriptor in
                try descriptor.writeAll("half".utf8)
                throw Stop()
            }
        }
        #expect(try Files.readText(file) == "old")
        #expect(try Files.list(folder.path) == ["a.txt"])
    }

    @Test func `a replaced file keeps its mode`() throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("run.sh", "old", mode: 0o755)
        try Files.replace(file, with: "new".utf8)
        #expect(Files.status(file)?.mode == 0o755)
        #expect(try Files.readText(file) == "new")
    }

    @Test func `removing a tree does not follow a link out of it`() throws {
        let folder = try TemporaryDirectory()
        try folder.write("outside/keep.txt", "x")
        try folder.write("tree/a/b.txt", "x")
        let link = folder.path.appending("tree").appending("link")
        #expect(
            link.withPlatformString { link in folder.path.appending("outside").withPlatformString { symlink($0, link) }
            } == 0)
        try Files.removeTree(folder.path.appending("tree"))
        #expect(try Files.list(folder.path) == ["outside"])
        #expect(try Files.list(folder.path.appending("outside")) == ["keep.txt"])
    }

    @Test func `a lock is held by one and free when its value goes`() throws {
        let folder = try TemporaryDirectory()
        let path = folder.path.appending("lock")
        let first = try FileLock.ifFree(path)
        let gotFirst = first != nil
        #expect(gotFirst)
        let second = try FileLock.ifFree(path) != nil
        #expect(!second)
        _ = consume first
        // Another test may be between fork and exec just now: its child holds everything for a moment.
        var third = false
        for _ in 0..<100 where !third {
            third = try FileLock.ifFree(path) != nil
            usleep(10_000)
        }
        #expect(third)
    }

    @Test func `a process that outlives its parent holds nothing that the parent has open`() throws {
        let folder = try TemporaryDirectory()
        // A file that only we hold open, as a pipe would be: the kernel lists who else has it.
        let file = try FileDescriptor.open(
            folder.path.appending("held"), .writeOnly, options: .create, permissions: .ownerReadWrite)
        let process = ProcessIdentity(
            try Daemon.start("/bin/sleep", ["30"], environment: [:], log: folder.path.appending("log")))
        defer { process.signal(SIGKILL) }
        try file.close()
        // While it starts it opens its own libraries for a moment; what it has from us it would hold to its end.
        var open: [String] = []
        for _ in 0..<100 where open != ["0", "1", "2"] {
            usleep(10_000)
            open = try Files.list(FilePath("/proc/\(process.id)/fd"))
        }
        #expect(open == ["0", "1", "2"])
        #expect(process.isRunning)
    }

    @Test func `a digest is that of sha256sum`() throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("abc", "abc")
        let digest = try Digest.of(file: file)
        #expect(digest.digest.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(digest.size == 3)
        #expect(Digest("sha256:" + digest.digest.hex) == digest.digest)
        #expect(Digest(digest.digest.hex.uppercased()) == nil)
        #expect(Digest("sha256:abc") == nil)
    }
}
