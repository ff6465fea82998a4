import Base
import GitKit
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Pointers

struct DatasetTests {
    @Test(arguments: 1...6)
    func `any tree comes out of another clone byte for byte`(seed: UInt64) async throws {
        let place = try await DatasetPlace()
        var random = SeededGenerator(seed: seed)
        try await fill(place, &random)
        try await place.add()
        let other = try await DatasetPlace(place.sandbox, folder: "other")
        try await place.hand(to: other)
        try await other.checkOut()
        #expect(try await other.tree() == place.tree())

        for _ in 0..<4 {
            try await edit(place, &random)
            try await place.add()
            try await place.hand(to: other)
            let result = try await other.checkOut()
            #expect(result.kept == [])
            let (ours, theirs) = (try await place.tree(), try await other.tree())
            #expect(ours == theirs)
            let status = try other.dataset.status()
            #expect(status.isEmpty)
        }
    }

    private let names = ["a", "b c", "d\"e'f", "g\nh", "ü", "i\\j", "x.jpg", "-k", "l\tm", "n*"]

    private func fill(_ place: DatasetPlace, _ random: inout SeededGenerator) async throws {
        for i in 0..<random.number(5..<60) {
            let depth = random.number(0..<4)
            let folders = (0..<depth).map { _ in "d" + names[random.number(0..<names.count)] }
            let name = (folders + ["f\(i)" + names[random.number(0..<names.count)]]).joined(separator: "/")
            try place.write(name, random.bytes([0, 1, 100, 4096, 70_000][random.number(0..<5)]))
        }
        try place.write("large.bin", random.bytes(random.number(1_100_000..<4_000_000)))
        try await place.sandbox.sh(
            """
            cd '\(place.top)'; mkdir -p empty/inside; ln -sf large.bin link; mkdir -p sub; ln -sf ../large.bin sub/up
            printf x > "$(printf 'raw\\377')"; printf '#!/bin/sh\\n' > program; chmod +x program
            touch "$(printf '%0255d' 7)"
            """)
    }

    private func edit(_ place: DatasetPlace, _ random: inout SeededGenerator) async throws {
        let files = try await place.sandbox.sh("cd '\(place.top)' && find . -type f -name 'f*' | head -40")
            .split(separator: "\n").map { String($0.dropFirst(2)) }
            .filter { Files.status(place.top.appending(FilePath($0).components))?.kind == .file }
        for file in files {
            switch random.number(0..<6) {
            case 0: try place.write(file, random.bytes(random.number(0..<9000)))
            case 1: place.remove(file)
            default: break
            }
        }
        var large = try Files.read(place.top.appending("large.bin")) ?? []
        let at = random.number(0..<large.count)
        large.insert(contentsOf: random.bytes(random.number(1..<5000)), at: at)
        try place.write("large.bin", large)
        try place.write("fnew\(random.next())", random.bytes(300))
        if random.number(0..<2) == 0 {
            try await place.sandbox.sh("cd '\(place.top)' && rm -rf empty && printf y > empty")
        } else {
            try await place.sandbox.sh("cd '\(place.top)' && rm -rf empty && mkdir -p empty/other")
        }
    }

    @Test func `the same tree gives the same pointer wherever it is added`() async throws {
        var pointers: Set<DatasetPointer> = []
        for _ in 0..<2 {
            let place = try await DatasetPlace()
            var random = SeededGenerator(seed: 9)
            for i in 0..<700 { try place.write("d\(i % 7)/\(i)", random.bytes(3000)) }
            try place.write("large", random.bytes(3_000_000))
            pointers.insert(try await place.add().pointer)
        }
        #expect(pointers.count == 1)
    }

    @Test func `adding again changes nothing and stores nothing`() async throws {
        let place = try await DatasetPlace()
        for i in 0..<50 { try place.write("\(i)", "file \(i)") }
        let first = try await place.add()
        #expect(first.isChanged)
        let before = try await place.sandbox.sh("find '\(place.dataset.store.root)' -type f | sort")
        let second = try await place.add()
        #expect(!second.isChanged)
        #expect(second.newBytes == 0)
        let after = try await place.sandbox.sh("find '\(place.dataset.store.root)' -type f | sort")
        #expect(before == after)
    }

    @Test func `a change of ten files stores little more than those`() async throws {
        let place = try await DatasetPlace()
        var random = SeededGenerator(seed: 3)
        for i in 0..<3000 { try place.write("d\(i % 30)/\(i).bin", random.bytes(1000)) }
        try await place.add()
        let before = try place.packs()
        let stored = try await size(place)
        for i in 0..<10 { try place.write("d\(i * 3)/\(i * 33).bin", random.bytes(1000)) }
        let result = try await place.add()
        #expect(result.newBytes == 10_000)
        let after = try place.packs()
        #expect(before.isSubset(of: after))
        let more = try await size(place) - stored
        #expect(more < 350_000)
    }

    private func size(_ place: DatasetPlace) async throws -> Int {
        Int(
            try await place.sandbox.sh("cat $(find '\(place.dataset.store.root)' -type f) | wc -c")
                .trimmingTrailingSpace) ?? 0
    }

    @Test func `a change inside a large file stores less than four times as much`() async throws {
        let place = try await DatasetPlace()
        var random = SeededGenerator(seed: 4)
        var bytes = random.bytes(24 << 20)
        try place.write("large", bytes)
        try await place.add()
        bytes.replaceSubrange(12 << 20..<13 << 20, with: random.bytes(1 << 20))
        try place.write("large", bytes)
        let result = try await place.add()
        #expect(result.newBytes >= 1 << 20)
        #expect(result.newBytes < 4 << 20)
    }

    @Test func `many small changes leave few packs`() async throws {
        let place = try await DatasetPlace()
        for i in 0..<40 {
            try place.write("\(i)", "content number \(i)")
            try await place.add()
        }
        #expect(try place.packs().count <= 2 * PackTiers.width)
        let other = try await DatasetPlace(place.sandbox, folder: "other")
        try await place.hand(to: other)
        try await other.checkOut()
        #expect(try await other.tree() == place.tree())
    }

    @Test func `one large file is a dataset too`() async throws {
        let place = try await DatasetPlace(Sandbox(), path: "big.bin")
        var random = SeededGenerator(seed: 5)
        let bytes = random.bytes(3_000_000)
        try Files.replace(place.top, with: bytes)
        let pointer = try await place.add().pointer
        #expect(pointer.kind == .file)
        Files.remove(place.top)
        #expect(try place.dataset.status().removed == ["file"])
        try await place.checkOut()
        #expect(try Files.read(place.top) == bytes)
        #expect(try place.dataset.status().isEmpty)
    }

    @Test func `status names what was added, changed and removed`() async throws {
        let place = try await DatasetPlace()
        for name in ["a", "b/c", "b/d", "e"] { try place.write(name, "text") }
        try await place.add()
        #expect(try place.dataset.status().isEmpty)
        try place.write("b/c", "TEXT")
        place.remove("e")
        try place.write("new\nline", "x")
        let changes = try place.dataset.status()
        #expect(changes.added == ["new\\x0aline"])
        #expect(changes.changed == ["b/c"])
        #expect(changes.removed == ["e"])
        Files.remove(place.dataset.cacheFile)
        #expect(try place.dataset.status() == changes)
    }

    @Test func `a change of the same size within the same tick is seen`() async throws {
        let place = try await DatasetPlace()
        for i in 0..<30 {
            try place.write("f", "content \(i % 10)")
            try await place.add()
            let file = place.top.appending("f")
            let handle = try FileDescriptor.open(file, .writeOnly)
            try handle.closeAfter { _ = try handle.writeAll("CONTENT \(i % 10)".utf8) }
            #expect(try place.dataset.status().changed == ["f"])
        }
    }

    @Test func `a file that the user has changed is kept, and one that nobody changed is replaced`() async throws {
        let place = try await DatasetPlace()
        for name in ["a", "b", "c"] { try place.write(name, "one \(name)") }
        try await place.add()
        let first = try Files.read(place.dataset.pointerFile) ?? []
        for name in ["a", "b", "d"] { try place.write(name, "two \(name)") }
        place.remove("c")
        try await place.add()
        try place.write("b", "mine")
        try place.write("stranger", "mine too")
        try Files.replace(place.dataset.pointerFile, with: first)
        let result = try await place.checkOut()
        #expect(result.kept == ["b"])
        #expect(result.removed == 1)
        let texts = try ["a", "b", "c", "d", "stranger"].map { try Files.readText(place.top.appending($0)) }
        #expect(texts == ["one a", "mine", "one c", nil, "mine too"])
        #expect(try place.dataset.status().changed == ["b"])
        let forced = try await place.checkOut(force: true)
        #expect(forced.kept == [])
        #expect(try Files.readText(place.top.appending("b")) == "one b")
    }

    @Test func `a part is fetched by pattern, and adding then keeps the rest`() async throws {
        let place = try await DatasetPlace()
        var random = SeededGenerator(seed: 8)
        for i in 0..<20 { try place.write("cat/\(i)", random.bytes(100)) }
        for i in 0..<20 { try place.write("dog/\(i)", random.bytes(100)) }
        try await place.add()
        let other = try await DatasetPlace(place.sandbox, folder: "other")
        try await place.hand(to: other)
        try other.dataset.setSelection(PathSelection(include: ["cat/*"], exclude: ["cat/1*"]))
        let result = try await other.checkOut()
        #expect(result.written == 9)
        #expect(!Files.exists(other.top.appending("dog")))
        #expect(try other.dataset.status().isEmpty)
        Files.remove(other.dataset.cacheFile)
        #expect(try other.dataset.status().isEmpty)
        try other.write("cat/new", "new")
        let pointer = try await other.add().pointer
        #expect(pointer.files == 41)
        try other.dataset.setSelection(PathSelection())
        try await other.checkOut()
        #expect(
            try Files.read(other.top.appending("dog").appending("7"))
                == Files.read(place.top.appending("dog").appending("7")))
    }

    @Test func `a merge takes what either side changed and names what both did`() async throws {
        let place = try await DatasetPlace()
        for name in ["a", "b", "c", "d"] { try place.write(name, "base") }
        let base = try await place.add().pointer
        try place.write("a", "ours")
        try place.write("both", "ours")
        place.remove("d")
        let ours = try await place.add().pointer
        try Files.replace(place.dataset.pointerFile, with: base.text.utf8)
        try await place.checkOut(force: true)
        place.remove("both")
        try place.write("b", "theirs")
        try place.write("both", "theirs")
        try place.write("d", "base")
        let theirs = try await place.add().pointer
        let merged = try DatasetMerge.run(
            base: base, ours: ours, theirs: theirs, name: "data", store: place.dataset.store)
        #expect(merged.conflicts == ["both"])
        try Files.replace(place.dataset.pointerFile, with: merged.pointer.text.utf8)
        try await place.checkOut(force: true)
        let texts = try ["a", "b", "both", "c", "d"].map { try Files.readText(place.top.appending($0)) }
        #expect(texts == ["ours", "theirs", "ours", "base", nil])
    }
}
