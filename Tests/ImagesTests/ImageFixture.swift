import Base
import Storage
import SystemPackage
import TestSupport

@testable import Images

/// A sandbox with a builder of layers, and images made of it.
struct ImageFixture {
    let sandbox: Sandbox
    let builder: LayerBuilder
    let time = Timestamp(seconds: 1_700_000_000)
    var path: FilePath { sandbox.path }

    init(form: LayerForm = .gzip) throws {
        sandbox = try Sandbox()
        builder = LayerBuilder(cache: sandbox.path.appending("cache"), form: form)
    }

    /// Bytes that do not shrink, the same in every run.
    static func noise(_ count: Int, seed: UInt64 = 7) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: generator.next().littleEndian) { bytes += $0 } }
        return Array(bytes[..<count])
    }

    static var platform: Platform { get throws { try Platform("linux/amd64") } }
    static let longName = "app/model/é-\(String(repeating: "n", count: 120)).bin"
    static let code = [
        LayerEntry("app/serve/server.py", .bytes(Array("print('hello')\n".utf8)), isExecutable: true),
        LayerEntry(longName, .bytes([0, 1, 2, 255])),
        LayerEntry("app/model.json", .bytes(Array("{}".utf8))),
    ]

    func layer(_ kind: Layer.Kind, _ entries: [LayerEntry], key: String? = nil) async throws -> Layer {
        try await builder.layer(kind, key: .of(key ?? kind.rawValue), time: time) { entries }
    }

    /// An image with a layer of code, and one of a model of that size.
    func image(model size: Int = 300_000, seed: UInt64 = 7, base: BaseImage? = nil) async throws -> Image {
        let model = [LayerEntry("app/model/m.bin", .bytes(Self.noise(size, seed: seed)))]
        let layers = [
            try await layer(.code, Self.code), try await layer(.model, model, key: "model \(size) \(seed)"),
        ]
        return try ImageBuilder(base: base, platform: Self.platform).image(
            layers,
            ImageSettings(
                created: time, entrypoint: ["python3", "/app/serve/server.py"], environment: ["PORT=8080"],
                ports: [8080], labels: ["org.opencontainers.image.revision": "abc"],
                annotations: ["org.opencontainers.image.revision": "abc"]))
    }

    /// Options without anybody's logins, and without long waits.
    static func options(_ credential: RegistryCredential? = nil) -> RegistryOptions {
        var options = RegistryOptions { _, _ in credential }
        options.retry.base = .milliseconds(1)
        return options
    }

    static let ann = RegistryCredential.password(user: "ann", password: "a:secret")

    @discardableResult
    func push(
        _ image: Image, to reference: String, _ options: RegistryOptions = options(),
        progress: @escaping ByteProgress = { _ in }
    ) async throws -> Set<Digest> {
        var report = TransferReport()
        report.moved = progress
        return try await ImageReference(reference).destination(options).store(image, report)
    }

    /// What umoci and skopeo, who know nothing of us, make of an image: it must unpack and validate.
    func validate(_ layout: String, tag: String) async throws {
        try await sandbox.sh(
            "rm -rf bundle-\(tag) && umoci unpack --rootless --image '\(layout):\(tag)' bundle-\(tag) 2>&1")
        try await sandbox.sh("rm -rf copy-\(tag) && skopeo copy -q 'oci:\(layout):\(tag)' dir:copy-\(tag)")
    }
}
