import Base
import SystemPackage
import TestSupport
import Testing

@testable import Images

struct ImageTests {
    private let sandbox: Sandbox
    private let layout: OCILayout
    private let builder: ImageBuilder

    init() throws {
        sandbox = try Sandbox()
        layout = OCILayout(sandbox.path.appending("images"))
        builder = ImageBuilder(layout: layout, cache: sandbox.path.appending("cache"))
    }

    private static let entries = [
        LayerEntry("app/serve/server.py", .bytes(Array("print('hello')\n".utf8)), isExecutable: true),
        LayerEntry("app/model/é-\(String(repeating: "n", count: 120)).bin", .bytes([0, 1, 2, 255])),
        LayerEntry("app/model.json", .bytes(Array("{}".utf8))),
    ]

    private func image(_ builder: ImageBuilder, as name: String = "v1") throws -> Image {
        let layer = try builder.layer(.code, Self.entries, key: .of("code"), time: Timestamp(seconds: 1_700_000_000))
        return try builder.image(
            [layer],
            ImageSettings(
                created: Timestamp(seconds: 1_700_000_000), entrypoint: ["python3", "/app/serve/server.py"],
                environment: ["PORT=8080"], ports: [8080], labels: ["org.opencontainers.image.revision": "abc"],
                annotations: ["org.opencontainers.image.revision": "abc"]), as: name)
    }

    @Test func `the same input gives the same digest, which is written down here`() throws {
        let image = try image(builder)
        let again = ImageBuilder(
            layout: OCILayout(sandbox.path.appending("other")), cache: sandbox.path.appending("cache2"))
        #expect(try self.image(again).manifest == image.manifest)
        // A layer's digest may only change together with ImageBuilder.revision: caches and registries know it.
        #expect(
            image.layers[0].diffID.description
                == "sha256:1a30338e53070a2efc7a343ec9308b0369d97b71acf624c495855fc54e22cf62")
    }

    @Test func `GNU tar and gzip read a layer as it was written`() async throws {
        let image = try image(builder)
        let blob = layout.path(of: image.layers[0].descriptor.digest)
        let listed = try await sandbox.sh("gzip -t '\(blob)' < '\(blob)'; tar -tzvf '\(blob)' --full-time")
        #expect(listed.contains("drwxr-xr-x 0/0               0 2023-11-14 22:13:20 app/serve/"))
        #expect(listed.contains("-rwxr-xr-x 0/0              15 2023-11-14 22:13:20 app/serve/server.py"))
        try await sandbox.sh("mkdir out && tar -xzf '\(blob)' -C out")
        let name = "out/app/model/é-\(String(repeating: "n", count: 120)).bin"
        #expect(try Files.read(sandbox.path.appending(FilePath(name).components)) == [0, 1, 2, 255])
        let diff = try await sandbox.sh("gzip -dc '\(blob)' | sha256sum")
        #expect("sha256:" + diff.prefix(64) == "\(image.layers[0].diffID)")
    }

    @Test func `skopeo and umoci read the image`() async throws {
        let image = try image(builder)
        let inspected = try JSON.parse(await sandbox.sh("skopeo inspect 'oci:\(layout.root):v1'"))
        #expect(inspected["Digest"]?.string == "\(image.manifest.digest)")
        #expect(inspected["Labels"]?["org.opencontainers.image.revision"]?.string == "abc")
        try await sandbox.sh("umoci unpack --rootless --image '\(layout.root):v1' bundle 2>&1")
        #expect(
            try Files.readText(sandbox.path.appending(FilePath("bundle/rootfs/app/serve/server.py").components))
                == "print('hello')\n")
        let stat = try await sandbox.sh("umoci stat --image '\(layout.root):v1'")
        #expect(stat.contains("git-ml: code"))
    }

    @Test func `a name taken by a new image leaves the others in the layout`() async throws {
        _ = try image(builder, as: "a")
        _ = try image(builder, as: "b")
        _ = try image(builder, as: "a")
        let index = try JSON.parse(Files.readText(layout.root.appending("index.json")) ?? "")
        let names = index["manifests"]?.array?.compactMap {
            $0["annotations"]?["org.opencontainers.image.ref.name"]?.string
        }
        #expect(names?.sorted() == ["a", "b"])
    }

    @Test(arguments: ["../up", "a/../b", "/abs", "a//b", "a/.wh.x", "a\0b"])
    func `a name that would leave the image is refused`(name: String) {
        #expect(throws: ImageFailure.self) {
            try builder.layer(.code, [LayerEntry(name, .bytes([]))], key: .of(name), time: Timestamp(seconds: 0))
        }
        #expect((try? Files.list(layout.root.appending("blobs").appending("sha256")))?.isEmpty != false)
    }

    @Test func `content whose bytes have rotted gets into no layer`() throws {
        let file = try sandbox.directory.write("model", "a m0del")
        let entry = LayerEntry("app/model/m", .content(file, .of("a model")))
        #expect(throws: ImageFailure.malformed(place: file.string, reason: "its bytes do not match its digest")) {
            try builder.layer(.model, [entry], key: .of("a model"), time: Timestamp(seconds: 0))
        }
        #expect(try Files.list(layout.root.appending("blobs").appending("sha256")).isEmpty)
    }

    @Test(arguments: [0, 1, 7, 8, 65_534, 65_535, 65_536, 200_003])
    func `stored gzip of any length is read by gzip`(count: Int) async throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var out: [UInt8] = []
        var gzip = try StoredGzip { out += $0 }
        for start in stride(from: 0, to: count, by: 30_011) {
            try bytes[start..<min(start + 30_011, count)].withUnsafeBytes { try gzip.append($0) }
        }
        try gzip.finish()
        let file = sandbox.path.appending("x.gz")
        try Files.replace(file, with: out)
        let sum = try await sandbox.sh("gzip -dc x.gz | sha256sum")
        #expect(sum.prefix(64) == Digest.of(bytes).hex)
    }

    @Test func `a push to Debian's docker-registry arrives whole and sends nothing twice`() async throws {
        let port = freePort()
        let settings = try sandbox.directory.write(
            "registry.yml",
            """
            version: 0.1
            storage: {filesystem: {rootdirectory: \(sandbox.path)/registry}}
            http: {addr: "127.0.0.1:\(port)"}
            """)
        let program = try #require(ChildProcess.find("docker-registry"))
        let server = try BackgroundProcess(program, ["serve", settings.string], log: sandbox.path.appending("log"))
        _ = try await server.waitForLog("listening on")
        let image = try image(builder)
        let client = RegistryClient(host: "127.0.0.1:\(port)", repository: "acme/tumor")
        let first = try await client.push(image, from: layout, tag: "v1")
        #expect(first.contains(image.layers[0].descriptor.digest))
        let second = try await client.push(image, from: layout, tag: "v2")
        #expect(second.isEmpty)
        for tag in ["v1", "v2"] {
            let text = try await sandbox.sh(
                "skopeo inspect --tls-verify=false docker://127.0.0.1:\(port)/acme/tumor:\(tag)")
            #expect(try JSON.parse(text)["Digest"]?.string == "\(image.manifest.digest)")
        }

        // Bytes that rotted on the way to the registry are not sent.
        let blob = layout.path(of: image.layers[0].descriptor.digest)
        try Files.replace(blob, with: [UInt8](repeating: 0, count: Int(image.layers[0].descriptor.size)))
        let other = RegistryClient(host: "127.0.0.1:\(port)", repository: "acme/rotten")
        await #expect(throws: ImageFailure.self) { _ = try await other.push(image, from: layout, tag: "v1") }
    }

    @Test func `a registry that refuses is named with its own words`() async throws {
        let client = RegistryClient(host: "127.0.0.1:\(freePort())", repository: "acme/tumor")
        let image = try image(builder)
        let failure = await #expect(throws: (any Error).self) {
            _ = try await client.push(image, from: layout, tag: "v1")
        }
        #expect(failure.map { "\($0)" }?.hasPrefix("HEAD http://127.0.0.1:") == true)
    }
}

struct ImageReferenceTests {
    @Test(arguments: [
        ("oci:/srv/images:v1", "oci:/srv/images:v1"), ("oci:images", "oci:images"), ("oci:/a:b/c", "oci:/a:b/c"),
        ("ghcr.io/acme/churn:v1", "ghcr.io/acme/churn:v1"), ("localhost:5000/churn", "localhost:5000/churn"),
        ("acme/churn", "docker.io/acme/churn"), ("docker://127.0.0.1:5000/a/b:x", "127.0.0.1:5000/a/b:x"),
    ])
    func `a reference is read as skopeo and docker read it`(text: String, meaning: String) throws {
        #expect(try ImageReference(text).description == meaning)
    }

    @Test(arguments: [
        "", "oci:", "Acme/churn", "ghcr.io/", "ghcr.io/a b", "ghcr.io/a:$(id)", "ghcr.io/-a", "oci:/x:a b",
        "ghcr.io//a",
    ])
    func `what names no image is refused`(text: String) {
        #expect(throws: ImageFailure.badReference(text)) { try ImageReference(text) }
    }

    @Test func `a challenge is read with commas inside quotes`() {
        let fields = RegistrySession.fields(
            #"Bearer Realm="https://a/token",service=reg,scope="repository:a/b:pull,push""#)
        #expect(fields == ["realm": "https://a/token", "service": "reg", "scope": "repository:a/b:pull,push"])
    }
}
