import Base
import SystemPackage
import TestSupport
import Testing

@testable import Images

/// Lists of images, and what happens to the others when some are removed.
struct ImageCatalogTests {
    private let fixture: ImageFixture

    init() throws { fixture = try ImageFixture() }

    private func image(_ seed: UInt64) async throws -> Image {
        var image = try await fixture.image(model: 70_000, seed: seed)
        let type = "application/vnd.cyclonedx+json"
        image.attachments = Attachments([type]) { _ in [Attachment(type: type, bytes: Array("\(seed)".utf8))] }
        return image
    }

    private func catalog(_ place: String) throws -> ImageCatalog {
        ImageCatalog(try ImageReference(place), ImageFixture.options())
    }

    @Test(arguments: ["docker-registry", "layout"])
    func `an image that is removed takes what is beside it along, and nothing that others need, in a`(kind: String)
        async throws
    {
        let server = try await DockerRegistry(fixture.path)
        let place = kind == "layout" ? "oci:\(fixture.path)/images" : "\(server.host)/acme/x"
        let (one, two) = (try await image(1), try await image(2))
        for (image, tag) in [(one, "v1"), (two, "v2"), (one, "same")] {
            try await fixture.push(image, to: "\(place):\(tag)")
        }
        let listed = try await catalog(place).images()
        #expect(listed.map(\.tag) == ["same", "v1", "v2"])
        #expect(listed[2].size == two.layers.reduce(0) { $0 + $1.descriptor.size })
        #expect(listed[2].annotations == ["org.opencontainers.image.revision": "abc"])
        try await catalog(place).remove(listed.filter { $0.tag == "v1" })
        let left = try await catalog(place).images()
        #expect(left.map(\.tag) == ["v2"])
        let source = try ImageReference("\(place):v2").source(ImageFixture.options())
        let beside = try await source.referrers(of: two.manifest.digest)
        #expect(beside.count == 1)
        let gone = try await source.referrers(of: one.manifest.digest)
        #expect(gone.isEmpty)
        for layer in try await source.manifest(nil).layers() {
            try await source.fetch(layer, to: fixture.path.appending(layer.digest.hex)) { _ in }
        }
    }

    @Test func `a layout keeps blobs that it does not know, and images that share layers stay whole`() async throws {
        let layout = OCILayout(fixture.path.appending("images"))
        let (one, two) = (try await image(1), try await image(2))
        for (image, tag) in [(one, "v1"), (two, "v2")] {
            try await fixture.push(image, to: "oci:\(layout.root):\(tag)")
        }
        let stranger = layout.path(of: .of("stranger"))
        try Files.replace(stranger, with: "stranger".utf8)
        let list = try catalog("oci:\(layout.root)")
        try await list.remove(list.images().filter { $0.tag == "v1" })
        try await fixture.validate("images", tag: "v2")
        #expect(Files.exists(stranger))
        #expect(!layout.contains(one.manifest) && !layout.contains(one.layers[1].descriptor))
        #expect(layout.contains(one.layers[0].descriptor))
        // config, manifest, two layers; the document's manifest, its bytes and its empty config; the stranger.
        let count = try Files.list(stranger.removingLastComponent()).count
        #expect(count == 8)
    }

    @Test func `tags come page by page`() async throws {
        let server = try await RegistryServer(fixture.path, "--page", "2")
        let image = try await fixture.image(model: 1_000)
        for tag in ["a", "b", "c", "d", "e"] { try await fixture.push(image, to: "\(server.host)/acme/x:\(tag)") }
        let listed = try await catalog("\(server.host)/acme/x").images()
        #expect(listed.map(\.tag) == ["a", "b", "c", "d", "e"])
        #expect(try server.requests("GET", "/tags/list").count == 3)
    }

    @Test func `a registry that removes nothing says so, and one image is no list`() async throws {
        let server = try await RegistryServer(fixture.path)
        let image = try await fixture.image(model: 1_000)
        try await fixture.push(image, to: "\(server.host)/acme/x:v1")
        let list = try catalog("\(server.host)/acme/x")
        let found = try await list.images()
        let failure = await #expect(throws: ImageFailure.self) { try await list.remove(found) }
        #expect(failure?.description.hasSuffix("lets nobody remove images this way") == true)
        await #expect(throws: ImageFailure.self) { _ = try await catalog("docker-archive:x.tar").images() }
    }
}
