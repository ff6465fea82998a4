import Base
import GitKit
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Pointers

struct DatasetBadInputTests {
    /// A pointer to a manifest with these lines; `P` stands for the name of a pack of 100 bytes, `O` for an oid.
    private func place(_ lines: [String], files: Int64 = 1, size: Int64 = 4) async throws -> DatasetPlace {
        let place = try await DatasetPlace()
        let store = place.dataset.store
        let pack = try store.insert([UInt8](repeating: 7, count: 100))
        let oid = Digest.of([7, 7, 7, 7]).hex
        let text = lines.map {
            $0.replacing("O", with: oid).replacing("P", with: String(pack.hex.prefix(16))) + "\n"
        }.joined()
        let index = try store.insert(Array(text.utf8))
        var root = ManifestRoot()
        root.packs = [Pack(name: ContentName(pack), size: 100)]
        root.indexes = [Pack(name: ContentName(index), size: Int64(text.utf8.count))]
        root.parts = [
            ManifestRoot.Part(name: ContentName(index), size: Int64(text.utf8.count), pack: 0, offset: 0)
        ]
        let digest = try store.insert(root.bytes)
        let pointer = DatasetPointer(
            kind: .folder, files: files, manifest: ContentID(digest, size: Int64(root.bytes.count)), size: size)
        try Files.replace(place.dataset.pointerFile, with: pointer.text.utf8)
        return place
    }

    @Test(arguments: [
        "../x", "a/../x", "/etc/x", "C:\\x", "c:/x", "\\x", "a\\x5c..\\x5cb", ".git/hooks/x", "a/.GIT/x", "git~1/x",
        ".g\u{200c}it/x", ".git./x", ".git /x", "a//b", "./a", "a/.", "", "a\\x00b", "\\x41", "a\\n", "bad\\xC3",
    ])
    func `a path that leaves the folder is refused before anything is written`(path: String) async throws {
        let place = try await place(["\(path)\tO\t4\t100644\tP\t0"])
        await #expect(throws: DatasetFailure.self) { try await place.checkOut() }
        #expect(!Files.exists(place.top))
    }

    @Test(arguments: [
        ["a\tO\t4\t100644\tP\t0", "a\tO\t4\t100644\tP\t0"],
        ["b\tO\t4\t100644\tP\t0", "a\tO\t4\t100644\tP\t0"],
        ["A\tO\t4\t100644\tP\t0", "a\tO\t4\t100644\tP\t0"],
        ["A/x\tO\t4\t100644\tP\t0", "a/y\tO\t4\t100644\tP\t0"],
        ["Ü\tO\t4\t100644\tP\t0", "ü\tO\t4\t100644\tP\t0"],
        ["a\tO\t4\t120000\tP\t0", "a-b\tO\t4\t100644\tP\t0", "a/b\tO\t4\t100644\tP\t0"],
        ["a\t-\t0\t040000\t-\t0", "a/b\tO\t4\t100644\tP\t0"],
        ["a\tO\t4\t100644\tP\t97"], ["a\tO\t101\t100644\tP\t0"], ["a\tO\t9223372036854775808\t100644\tP\t0"],
        ["a\tO\t9223372036854775807\t100644\tP\t9223372036854775807"], ["a\tO\t04\t100644\tP\t0"],
        ["a\tO\t-4\t100644\tP\t0"], ["a\tO\t4\t100666\tP\t0"], ["a\tO\t4\t100644\t0123456789abcdef\t0"],
        ["a\tO\t4\t100644\tP"], ["a\tO\t4\t100644\tP\t0\tx"], ["a\tO\t4\t100644\t-\t0"], ["a\tO\t0\t100644\tP\t0"],
        ["a\tO\t4\t100644\tparts\t2", "\tO\t4\tP\t0"], ["a\tO\t4\t100644\tparts\t1", "\tO\t5\tP\t0"],
        ["a\tO\t4\t100644\tparts\t1", "b\tO\t4\t100644\tP\t0"], ["\tO\t4\tP\t0"], ["a\tXYZ\t4\t100644\tP\t0"],
    ])
    func `a manifest that is not right is refused before anything is written`(lines: [String]) async throws {
        let place = try await place(lines, files: Int64(lines.count))
        let failure = await #expect(throws: DatasetFailure.self) { try await place.checkOut() }
        #expect(failure?.description.hasPrefix("the manifest of data: line ") == true)
        #expect(!Files.exists(place.top))
    }

    @Test func `sizes that the pointer tells wrong are refused`() async throws {
        let place = try await place(["a\tO\t4\t100644\tP\t0"], size: 5)
        await #expect(throws: DatasetFailure.self) { try await place.checkOut() }
    }

    @Test func `content that is not what its oid says is not put in place`() async throws {
        let oid = Digest.of("else").hex
        let place = try await place(["a\t\(oid)\t4\t100644\tP\t0"])
        let failure = await #expect(throws: DatasetFailure.self) { try await place.checkOut() }
        #expect(failure?.kind == .corrupt)
        #expect(failure?.description.contains("data/a") == true)
        #expect(try Files.list(place.top) == [])
    }

    @Test func `a good line among these is accepted`() async throws {
        let place = try await place(["a\tO\t4\t100644\tP\t0"])
        try await place.checkOut()
        #expect(try Files.read(place.top.appending("a")) == [7, 7, 7, 7])
    }

    @Test func `a link in the way is never followed`() async throws {
        let place = try await place(["a/b\tO\t4\t100644\tP\t0"])
        try await place.sandbox.sh("mkdir outside && mkdir work/data && ln -s ../../outside work/data/a")
        await #expect(throws: (any Error).self) { try await place.checkOut() }
        #expect(try Files.list(place.sandbox.path.appending("outside")) == [])
        #expect(Files.status(place.top.appending("a"))?.kind == .link)
    }

    @Test(arguments: ["mkfifo x", "ln -s /etc/passwd x", "ln -s ../../x x", "mkdir .git && touch .git/x", "touch A a"])
    func `what a dataset cannot hold is named and nothing is stored`(line: String) async throws {
        let place = try await DatasetPlace()
        try place.write("good", "x")
        try await place.sandbox.sh("cd '\(place.top)' && \(line)")
        let failure = await #expect(throws: DatasetFailure.self) { try await place.add() }
        #expect(failure?.description.hasPrefix("data/") == true)
        #expect(!Files.exists(place.dataset.pointerFile))
    }

    @Test func `a truncated pack is named and nothing partial is left`() async throws {
        let place = try await DatasetPlace()
        for i in 0..<20 { try place.write("\(i)", "content \(i)") }
        try await place.add()
        let pack = try #require(try place.packs().first)
        try await place.sandbox.sh(
            "rm -r '\(place.top)' && truncate -s 30 '\(place.dataset.store.path(of: pack.digest))'")
        let failure = await #expect(throws: DatasetFailure.self) { try await place.checkOut() }
        #expect(failure?.kind == .notFound)
    }

    @Test(arguments: [
        "git-ml-dataset 2\n", "git-ml-dataset 1\nkind folder\n", "git-ml-dataset 1\r\nkind folder\r\n",
        "git-ml-dataset 1\nkind x\nfiles 1\nmanifest sha256:00\nmanifest-size 1\nsize 1\n",
    ])
    func `a malformed pointer is refused with its line`(text: String) {
        #expect(throws: DatasetFailure.self) { try DatasetPointer.parse(Array(text.utf8), path: "x.dataset") }
    }

    @Test func `paths have one spelling, and it comes back`() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            let path = random.bytes(random.number(1..<20)).map { $0 == 0x2f ? 0x61 : $0 }
            var text: [UInt8] = []
            DatasetPath.escape(path, into: &text)
            #expect(text.allSatisfy { $0 >= 0x20 })
            #expect(String(validating: text, as: UTF8.self) != nil)
            #expect(text.withUnsafeBytes { DatasetPath.unescape($0) } == path)
        }
    }

    @Test func `boundaries lie between the limits and come again behind a change`() {
        var random = SeededGenerator(seed: 2)
        var bytes = random.bytes(8 << 20)
        let before = cuts(bytes)
        #expect(before.dropLast().allSatisfy { $0 >= Chunker.minimum && $0 <= Chunker.maximum })
        #expect(before.reduce(0, +) == bytes.count)
        let average = bytes.count / before.count
        #expect(average > 200 << 10 && average < 400 << 10)
        bytes.insert(contentsOf: random.bytes(777), at: 3 << 20)
        let after = cuts(bytes)
        #expect(Array(before.suffix(5)) == Array(after.suffix(5)))
        #expect(cuts([UInt8](repeating: 0, count: 1 << 20)) == [512 << 10, 512 << 10])
    }

    private func cuts(_ bytes: [UInt8]) -> [Int] {
        var cuts: [Int] = []
        bytes.withUnsafeBytes { all in
            var rest = all[...]
            while let length = Chunker.cut(UnsafeRawBufferPointer(rebasing: rest), isEnd: true) {
                cuts.append(length)
                rest = rest.dropFirst(length)
            }
        }
        return cuts
    }
}
