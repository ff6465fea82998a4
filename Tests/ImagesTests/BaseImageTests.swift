import Base
import SystemPackage
import TestSupport
import Testing

@testable import Images

/// Bases: which one is meant, what is kept of it, and what is refused.
struct BaseImageTests {
    private let fixture: ImageFixture
    private var path: FilePath { fixture.path }

    init() throws { fixture = try ImageFixture() }

    /// A layout `base` with an index `multi` of three platforms, and each of them by its own name.
    private func makeBases() async throws {
        try await fixture.sandbox.sh(
            """
            mkdir root && echo base > root/base.txt
            umoci init --layout base
            for a in amd64 arm64 arm; do
              umoci new --image base:$a && umoci insert --rootless --image base:$a root/base.txt /base-$a.txt
              umoci config --image base:$a --architecture $a --os linux --config.env A=1 --config.env PORT=1 \
                --config.user 1000:1000 --config.cmd sh --config.exposedports 1/tcp --config.label from=base
            done
            umoci config --image base:arm --config.env B=2
            """)
        let layout = OCILayout(path.appending("base"))
        let names = try await fixture.sandbox.sh("cat base/index.json")
        let entries = try JSON.parse(names)["manifests"]?.array ?? []
        func entry(_ name: String, _ platform: JSON) throws -> JSON {
            let found = entries.first { $0["annotations"]?[OCILayout.nameKey]?.string == name }
            var entry = try Descriptor(#require(found), place: "test").json
            entry.set("platform", platform)
            return entry
        }
        let index = OCILayout.index([
            try entry("arm", ["os": "linux", "architecture": "arm", "variant": "v6"]),
            try entry("arm64", ["os": "linux", "architecture": "arm64", "variant": "v8"]),
            try entry("arm", ["os": "unknown", "architecture": "unknown"]),
            try entry("amd64", ["os": "linux", "architecture": "amd64"]),
        ])
        let bytes = Array(index.canonical.utf8)
        try Files.replace(layout.path(of: .of(bytes)), with: bytes)
        try layout.publish(Descriptor(of: bytes, mediaType: MediaType.index), .host, as: "multi")
    }

    private func base(_ tag: String, _ platform: String, pin: BasePin? = nil, cache: String = "cache") async throws
        -> BaseImage
    {
        try await BaseImages(cache: path.appending(cache), options: ImageFixture.options()).resolve(
            .layout(path.appending("base"), tag: tag, digest: nil), for: Platform(platform), pin: pin)
    }

    @Test func `an index is resolved by platform, and others are told by name`() async throws {
        try await makeBases()
        for (wanted, found) in [
            ("linux/amd64", "linux/amd64"), ("linux/arm64", "linux/arm64"), ("linux/arm/v7", "linux/arm"),
        ] {
            let base = try await base("multi", wanted)
            #expect("\(base.platform)" == found)
            let plain = try await self.base(String(found.dropFirst(6)), wanted)
            #expect(plain.manifest == base.manifest && plain.index == nil && base.index != nil)
        }
        let failure = await #expect(throws: ImageFailure.self) { _ = try await base("multi", "linux/s390x") }
        #expect(
            failure?.description.hasSuffix(
                ":multi is not made for linux/s390x, but for linux/amd64, linux/arm/v6, linux/arm64/v8") == true)
        let single = await #expect(throws: ImageFailure.self) { _ = try await base("amd64", "linux/arm64") }
        #expect(single?.description.hasSuffix("is not made for linux/arm64, but for linux/amd64") == true)
        let absent = await #expect(throws: ImageFailure.self) { _ = try await base("other", "linux/amd64") }
        #expect(absent?.kind == .notFound && absent?.hints.first?.contains("multi") == true)
    }

    @Test func `a pinned base stays what it was, and needs its place no more than its layers do`() async throws {
        try await makeBases()
        let first = try await base("multi", "linux/amd64")
        let pin = BasePin(index: first.index, manifest: first.manifest.digest)
        try await fixture.sandbox.sh(
            "umoci config --image base:amd64 --tag multi --config.env NEW=1 && rm base/index.json")
        let pinned = try await base("multi", "linux/amd64", pin: pin)
        #expect(pinned.manifest == first.manifest && pinned.index == first.index)
        let wrong = await #expect(throws: ImageFailure.self) {
            _ = try await base("multi", "linux/arm64", pin: pin)
        }
        #expect(wrong?.description.contains("is not made for linux/arm64") == true)
        // Nothing kept, and the place has lost it.
        try await fixture.sandbox.sh("rm base/blobs/sha256/\(first.manifest.digest.hex)")
        await #expect(throws: ImageFailure.self) { _ = try await base("multi", "linux/amd64", pin: pin, cache: "new") }
    }

    @Test func `the base's config is kept, and ours is laid over it`() async throws {
        try await makeBases()
        let image = try await fixture.image(base: base("multi", "linux/amd64"))
        try await fixture.push(image, to: "oci:\(path)/images:v1")
        try await fixture.validate("images", tag: "v1")
        let config = try #require(image.config["config"])
        #expect(config["User"]?.string == "1000:1000")
        #expect(config["Env"]?.array?.compactMap(\.string).sorted() == ["A=1", "PATH=\(Self.path)", "PORT=8080"])
        #expect(config["Cmd"] == nil)
        #expect(config["ExposedPorts"]?.members?.map(\.key).sorted() == ["1/tcp", "8080/tcp"])
        #expect(config["Labels"]?.texts == ["from": "base", "org.opencontainers.image.revision": "abc"])
        #expect(image.config["rootfs"]?["diff_ids"]?.array?.count == 3)
        #expect(image.layers.map(\.kind) == [.base, .code, .model])
        let history = image.config["history"]?.array ?? []
        #expect(history.count { $0["empty_layer"]?.bool != true } == 3)
        let listed = try await fixture.sandbox.sh("cat bundle-v1/rootfs/base-amd64.txt; ls bundle-v1/rootfs/app")
        #expect(listed == "base\nmodel\nmodel.json\nserve\n")
    }

    private static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    @Test(arguments: [
        (#"{"layers":[],"config":{}}"#, "lacks mediaType"), (#"{"schemaVersion":2}"#, "does not say what it is"),
        ("<html>", "web page"), ("{", "not JSON"), ("[]", "not JSON"),
        (#"{"mediaType":"application/vnd.docker.distribution.manifest.v1+prettyjws"}"#, "cannot be used"),
        (#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}"#, "no config"),
        (
            #"{"layers":[{"mediaType":"x","digest":"sha512:00","size":1}],"config":{"mediaType":"x","digest":"sha512:0","size":1}}"#,
            "no SHA-256 digest"
        ),
        (#"{"manifests":[]}"#, "is not made for linux/amd64, but for nothing"),
    ])
    func `a manifest that cannot be one is refused with the reason`(text: String, reason: String) async throws {
        let layout = OCILayout(path.appending("base"))
        let bytes = Array(text.utf8)
        try Files.replace(layout.path(of: .of(bytes)), with: bytes)
        try layout.publish(Descriptor(of: bytes, mediaType: MediaType.manifest), .host, as: "x")
        let failure = await #expect(throws: ImageFailure.self) { _ = try await base("x", "linux/amd64") }
        #expect(failure?.description.contains(reason) == true, "\(String(describing: failure))")
    }

    /// An index whose entry for amd64 says something else of the manifest than is true.
    @Test(arguments: ["size", "digest", "layers"])
    func `a manifest that lies about digest, size or layers is refused`(what: String) async throws {
        try await makeBases()
        let layout = OCILayout(path.appending("base"))
        let good = try await base("amd64", "linux/amd64")
        var entry = good.manifest.json
        entry.set("platform", ["os": "linux", "architecture": "amd64"])
        switch what {
        case "size": entry.set("size", .int(good.manifest.size + 1))
        case "digest":
            let other = Digest.of("other")
            entry.set("digest", .string("\(other)"))
            try await fixture.sandbox.sh(
                "cp base/blobs/sha256/\(good.manifest.digest.hex) base/blobs/sha256/\(other.hex)")
        default:
            let text = try #require(try Files.readText(layout.path(of: good.manifest.digest)))
            var manifest = try JSON.parse(text)
            manifest.set("layers", [])
            let bytes = Array(manifest.canonical.utf8)
            try Files.replace(layout.path(of: .of(bytes)), with: bytes)
            entry.set("digest", .string("\(Digest.of(bytes))"))
            entry.set("size", .int(Int64(bytes.count)))
        }
        let index = Array(OCILayout.index([entry]).canonical.utf8)
        try Files.replace(layout.path(of: .of(index)), with: index)
        try layout.publish(Descriptor(of: index, mediaType: MediaType.index), .host, as: "liar")
        let failure = await #expect(throws: ImageFailure.self) {
            _ = try await base("liar", "linux/amd64", cache: "new")
        }
        #expect(failure?.kind == .corrupt, "\(String(describing: failure))")
    }

    @Test func `a base's blob that has rotted is not stored`() async throws {
        try await makeBases()
        let base = try await base("multi", "linux/amd64")
        let blob = path.appending("base").appending("blobs").appending("sha256")
            .appending(base.layers[0].descriptor.digest.hex)
        try Files.replace(blob, with: [UInt8](repeating: 0, count: Int(base.layers[0].descriptor.size)))
        let image = try await fixture.image(base: base)
        await #expect(throws: ImageFailure.self) { try await fixture.push(image, to: "oci:\(path)/images:v1") }
        #expect(!Files.exists(path.appending("images").appending("index.json")))
    }

    // MARK: ml.lock

    @Test func `a lock is written and read back, and renewed by index`() throws {
        var lock = BaseLock()
        let python = try ImageReference("python:3.12-slim")
        let (amd, arm) = (try Platform("linux/amd64"), try Platform("linux/arm64"))
        let digests = (0..<4).map { Digest.of("\($0)") }
        lock.pin(python, amd, BasePin(index: digests[0], manifest: digests[1]))
        lock.pin(python, arm, BasePin(index: digests[0], manifest: digests[2]))
        lock.pin(try ImageReference("oci:base/x y:v1"), amd, BasePin(index: nil, manifest: digests[3]))
        #expect(
            lock.text == """
                # Written by git ml package; --update-base renews it. Commit it.
                version: 1
                bases:
                  docker.io/library/python:3.12-slim:
                    index: \(digests[0])
                    linux/amd64: \(digests[1])
                    linux/arm64: \(digests[2])
                  "oci:base/x y:v1":
                    linux/amd64: \(digests[3])

                """)
        #expect(try BaseLock(lock.text) == lock)
        // A pin of another index would mix two versions of one base.
        lock.pin(python, amd, BasePin(index: digests[3], manifest: digests[1]))
        #expect(lock[python, arm] == nil && lock[python, amd]?.index == digests[3])
    }

    @Test(arguments: [
        ("version: 2\n", 1), ("bases:\n  x:\n    linux/amd64: sha256:1\n", 3), ("base: {}\n", 1),
        ("bases:\n  x:\n    - a\n", 3), ("\tx", 1),
    ])
    func `a broken lock is refused with its line`(text: String, line: Int) {
        let failure = #expect(throws: YAMLFailure.self) { try BaseLock(text) }
        #expect(failure?.line == line)
    }
}
