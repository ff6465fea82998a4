import Base
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Images

/// Documents beside an image, wherever it goes.
struct AttachmentTests {
    private let fixture: ImageFixture

    init() throws { fixture = try ImageFixture() }

    private func image() async throws -> Image {
        var image = try await fixture.image()
        image.attachments = Attachments(["application/vnd.cyclonedx+json", "application/vnd.in-toto+json"]) { _ in
            [
                Attachment(type: "application/vnd.cyclonedx+json", bytes: Array("{\"a\":1}".utf8)),
                Attachment(
                    type: "application/vnd.in-toto+json", bytes: Array("{\"b\":\"\(UUIDv7())\"}".utf8),
                    annotations: ["in-toto.io/predicate-type": "x"]),
            ]
        }
        return image
    }

    /// Whether both are found once, with the bytes that they were made of.
    private func check(_ image: Image, at reference: String) async throws {
        let source = try ImageReference(reference).source(ImageFixture.options())
        let found = try await source.referrers(of: image.manifest.digest)
        #expect(found.map(\.type).sorted() == ["application/vnd.cyclonedx+json", "application/vnd.in-toto+json"])
        let document = try await source.document(try #require(found.first { $0.type.contains("cyclonedx") }))
        #expect(String(decoding: document, as: UTF8.self) == "{\"a\":1}")
        let other = try await source.referrers(of: .of("no image"))
        #expect(other.isEmpty)
        let manifest = try await source.manifest(found[0].manifest.digest)
        #expect(manifest.json["subject"]?["digest"]?.string == "\(image.manifest.digest)")
    }

    @Test(arguments: ["docker-registry", "no API", "web page instead of the API", "API", "layout"])
    func `documents stand beside an image once, however often it is pushed, in a place with`(kind: String) async throws
    {
        let image = try await image()
        var servers: [Any] = []
        var place = "oci:\(fixture.path)/images:v1"
        switch kind {
        case "docker-registry":
            let server = try await DockerRegistry(fixture.path)
            servers.append(server)
            place = "\(server.host)/acme/x:v1"
        case "layout": break
        default:
            let server =
                try await kind == "API" ? RegistryServer(fixture.path, "--referrers") : RegistryServer(fixture.path)
            if kind.contains("page") { try server.misbehave(#"{"referrers-html":-1}"#) }
            servers.append(server)
            place = "\(server.host)/acme/x:v1"
        }
        for _ in 0..<2 {
            try await fixture.push(image, to: place)
            try await check(image, at: place)
        }
        if kind == "layout" {
            try await fixture.validate("images", tag: "v1")
            // One image is still one image.
            let base = try await ImageReference("oci:\(fixture.path)/images").source(ImageFixture.options()).manifest(
                nil)
            #expect(base.descriptor == image.manifest)
        }
        _ = servers
    }

    @Test func `a registry that answers the fallback tag with an image itself is told of, and gets no tag`()
        async throws
    {
        let server = try await RegistryServer(fixture.path)
        let plain = try await fixture.image()
        try await fixture.push(plain, to: "\(server.host)/acme/x:sha256-\(plain.manifest.digest.hex)")
        let image = try await image()
        let failure = await #expect(throws: ImageFailure.self) {
            try await fixture.push(image, to: "\(server.host)/acme/x:v1")
        }
        #expect(failure?.hints.first?.contains("--no-attest") == true)
        #expect(try server.requests("PUT", "manifests/v1").isEmpty)
    }
}
