import Base
import SystemPackage
import TestSupport
import Testing
import Transport

@testable import Images

struct LayerTests {
    private let fixture: ImageFixture
    private var sandbox: Sandbox { fixture.sandbox }

    init() throws { fixture = try ImageFixture() }

    /// The whole blob, as it would be sent.
    private func bytes(_ layer: Layer) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try layer.blob.check(try await layer.blob.open()) { bytes += $0 }
        return bytes
    }

    private static let model = [LayerEntry("app/model/m.bin", .bytes(ImageFixture.noise(200_000)))]

    @Test(arguments: LayerForm.allCases)
    func `the same input gives the same digest, which is written down here`(form: LayerForm) async throws {
        var found: [String] = []
        for _ in 0..<2 {
            let fixture = try ImageFixture(form: form)
            let layers = [
                try await fixture.layer(.code, ImageFixture.code), try await fixture.layer(.model, Self.model),
            ]
            found.append(layers.map { "\($0.diffID.short) \($0.descriptor.digest.short)" }.joined(separator: ", "))
        }
        #expect(found[0] == found[1])
        // Digests may only change together with LayerBuilder.revision: caches and registries know them.
        #expect(
            found[0]
                == [
                    .gzip: "1a30338e5307 7c5cedd9ae5c, 5d166db63607 7e3fc93cb3fa",
                    .tar: "1a30338e5307 1a30338e5307, 5d166db63607 5d166db63607",
                ][form])
    }

    @Test func `GNU tar reads a layer as it was written`() async throws {
        let layer = try await fixture.layer(.code, ImageFixture.code)
        try Files.replace(fixture.path.appending("layer.tgz"), with: try await bytes(layer))
        let listed = try await sandbox.sh("gzip -t layer.tgz; tar -tzvf layer.tgz --full-time")
        #expect(listed.contains("drwxr-xr-x 0/0               0 2023-11-14 22:13:20 app/serve/"))
        #expect(listed.contains("-rwxr-xr-x 0/0              15 2023-11-14 22:13:20 app/serve/server.py"))
        try await sandbox.sh("mkdir out && tar -xzf layer.tgz -C out")
        let name = FilePath("out/\(ImageFixture.longName)")
        #expect(try Files.read(fixture.path.appending(name.components)) == [0, 1, 2, 255])
        let diff = try await sandbox.sh("gzip -dc layer.tgz | sha256sum")
        #expect("sha256:" + diff.prefix(64) == "\(layer.diffID)")
    }

    @Test func `what shrinks is deflated, what does not is stored and never written to this disk`() async throws {
        let text = [LayerEntry("app/code/x.py", .bytes(Array(String(repeating: "import numpy\n", count: 9_000).utf8)))]
        let code = try await fixture.layer(.code, text)
        #expect(code.descriptor.size < 5_000)
        let model = try await fixture.layer(.model, Self.model)
        #expect(model.descriptor.size > 200_000)
        let kept = try Files.list(fixture.path.appending("cache").appending("blobs"))
        #expect(kept == [code.descriptor.digest.hex])
        guard case .stream = try await model.blob.open() else { Issue.record("the model was written"); return }
    }

    @Test(arguments: LayerForm.allCases)
    func `any part of a layer can be made without what stands before`(form: LayerForm) async throws {
        let fixture = try ImageFixture(form: form)
        let layer = try await fixture.layer(.model, Self.model + [LayerEntry("app/model/n", .bytes([1]))])
        let whole = try await bytes(layer)
        guard case .stream(let stream) = try await layer.blob.open() else { Issue.record("no stream"); return }
        var room = [UInt8](repeating: 0, count: 1_000)
        for start in stride(from: whole.count - 1, to: 0, by: -9_973) {
            let got = try room.withUnsafeMutableBytes { try stream.read(at: Int64(start), into: $0) }
            #expect(got > 0 && room[..<got] == whole[start..<start + got], "from \(start)")
        }
        let end = try room.withUnsafeMutableBytes { try stream.read(at: stream.size, into: $0) }
        #expect(end == 0)
    }

    @Test func `a layer that was packed before is known without its files`() async throws {
        let first = try await fixture.layer(.model, Self.model)
        struct Touched: Error {}
        let again = try await fixture.builder.layer(.model, key: .of("model"), time: fixture.time) { throw Touched() }
        #expect(again.descriptor == first.descriptor)
        #expect(again.diffID == first.diffID)
        await #expect(throws: Touched.self) { _ = try await again.blob.open() }
        // A broken note is no note.
        for name in try Files.list(fixture.path.appending("cache")) where name.hasSuffix(".json") {
            try Files.replace(fixture.path.appending("cache").appending(name), with: "{".utf8)
        }
        let third = try await fixture.layer(.model, Self.model)
        #expect(third.descriptor == first.descriptor)
    }

    @Test func `a deflated layer whose file is gone is made again`() async throws {
        let layer = try await fixture.layer(.code, [LayerEntry("a", .bytes([UInt8](repeating: 9, count: 70_000)))])
        let before = try await bytes(layer)
        try Files.removeTree(fixture.path.appending("cache").appending("blobs"))
        let after = try await bytes(layer)
        #expect(before == after)
    }

    @Test func `an entry of more than 8 GiB gets a pax size`() throws {
        let entry = LayerEntry("big", .file("/nonexistent", size: 9 << 30))
        let archive = try TarArchive([entry], time: fixture.time)
        guard case .form(let head) = archive.pieces[0].kind else { Issue.record("no header"); return }
        #expect(String(decoding: head[512...], as: UTF8.self).hasPrefix("19 size=9663676416\n"))
        #expect(archive.size == 9 << 30 + 512 * 3 + 1024)
    }

    // MARK: Bad input

    @Test(arguments: ["../up", "a/../b", "/abs", "a//b", "a/.wh.x", ".wh..wh..opq", "a\0b", ".", ""])
    func `a name that would leave the image is refused`(name: String) async throws {
        await #expect(throws: ImageFailure.self) { try await fixture.layer(.code, [LayerEntry(name, .bytes([]))]) }
        #expect(!Files.exists(fixture.path.appending("cache")))
    }

    @Test func `a name that stands twice, as two files or as file and folder, is refused`() async throws {
        let twice = ["a", "a"].map { LayerEntry($0, .bytes([1])) }
        await #expect(throws: ImageFailure.unusableFile(path: "a", reason: "the name stands twice")) {
            try await fixture.layer(.code, twice)
        }
        let both = ["a", "a/b"].map { LayerEntry($0, .bytes([1])) }
        await #expect(throws: ImageFailure.unusableFile(path: "a", reason: "it is a file and a folder")) {
            try await fixture.layer(.code, both)
        }
    }

    @Test func `content whose bytes have rotted gets into no layer`() async throws {
        let file = try sandbox.directory.write("model", "a m0del")
        let entry = LayerEntry("app/model/m", .content(file, .of("a model"), size: 7))
        await #expect(throws: ImageFailure.malformed(place: file.string, reason: "its bytes do not match its digest")) {
            try await fixture.layer(.model, [entry])
        }
    }

    @Test(arguments: ["a mode", "a model!"])
    func `a file that changes while it is packed is refused`(now: String) async throws {
        let file = try sandbox.directory.write("model", now)
        await #expect(throws: ImageFailure.unusableFile(path: file.string, reason: "it changed while it was packed")) {
            try await fixture.layer(.model, [LayerEntry("m", .file(file, size: 7))])
        }
    }

    @Test func `a link in the place of a file is refused`() async throws {
        try await sandbox.sh("ln -s /etc/passwd model")
        let file = sandbox.path.appending("model")
        await #expect(throws: ImageFailure.unusableFile(path: file.string, reason: "it is no plain file")) {
            try await fixture.layer(.model, [LayerEntry("m", .file(file, size: 7))])
        }
    }

    @Test func `a file that changed after it was hashed does not get into a layout or an archive`() async throws {
        let file = sandbox.path.appending("m.bin")
        try Files.replace(file, with: ImageFixture.noise(100_000))
        let entry = LayerEntry("app/model/m.bin", .file(file, size: 100_000))
        let layer = try await fixture.layer(.model, [entry])
        let image = try ImageBuilder(base: nil, platform: .host).image(
            [layer], ImageSettings(created: fixture.time, entrypoint: ["x"]))
        try Files.replace(file, with: ImageFixture.noise(100_000, seed: 8))
        for place in ["oci:\(fixture.path)/out:v1", "docker-archive:\(fixture.path)/out.tar"] {
            await #expect(throws: ImageFailure.self) { try await fixture.push(image, to: place) }
        }
        #expect(!Files.exists(fixture.path.appending("out").appending("index.json")))
        #expect(!Files.exists(fixture.path.appending("out.tar")))
        let left = try Files.list(fixture.path).filter { $0.hasPrefix(".tmp") }
        #expect(left.isEmpty)
    }
}
