import Base
import SystemPackage
import TestSupport
import Testing

@testable import Images

/// Images in layouts and archives, and what others make of them.
struct ImageTests {
    private let fixture: ImageFixture
    private var sandbox: Sandbox { fixture.sandbox }

    init() throws { fixture = try ImageFixture() }

    @Test func `manifest and config are canonical, and their digests are written down here`() async throws {
        let image = try await fixture.image()
        let config = String(decoding: try await content(image.configBlob), as: UTF8.self)
        #expect(!config.contains("\": ") && !config.contains("\\/"))
        #expect(
            config.hasPrefix(#"{"architecture":"amd64","config":{"Entrypoint":["python3","/app/serve/server.py"],"#))
        // They may only change together with LayerBuilder.revision.
        #expect(
            "\(image.manifest.digest.short) \(image.configBlob.descriptor.digest.short)" == "3c37c308e26e 2ad862c8acce")
    }

    private func content(_ blob: ImageBlob) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try blob.check(try await blob.open()) { bytes += $0 }
        return bytes
    }

    @Test func `skopeo and umoci read the image`() async throws {
        let image = try await fixture.image()
        let moved = try await fixture.push(image, to: "oci:\(fixture.path)/images:v1")
        #expect(moved.count == 3)
        try await fixture.validate("images", tag: "v1")
        let inspected = try JSON.parse(await sandbox.sh("skopeo inspect oci:images:v1"))
        #expect(inspected["Digest"]?.string == "\(image.manifest.digest)")
        #expect(inspected["Labels"]?["org.opencontainers.image.revision"]?.string == "abc")
        #expect(
            try Files.readText(fixture.path.appending(FilePath("bundle-v1/rootfs/app/serve/server.py").components))
                == "print('hello')\n")
        let stat = try await sandbox.sh("umoci stat --image images:v1")
        #expect(stat.contains("git-ml: code") && stat.contains("git-ml: model"))
        let again = try await fixture.push(image, to: "oci:\(fixture.path)/images:v1")
        #expect(again.isEmpty)
    }

    @Test func `a name taken by a new image leaves the others in the layout`() async throws {
        let image = try await fixture.image()
        for tag in ["a", "b", "a"] { try await fixture.push(image, to: "oci:\(fixture.path)/images:\(tag)") }
        let index = try JSON.parse(Files.readText(fixture.path.appending("images").appending("index.json")) ?? "")
        let names = index["manifests"]?.array?.compactMap { $0["annotations"]?[OCILayout.nameKey]?.string }
        #expect(names?.sorted() == ["a", "b"])
        #expect(index["manifests"]?.array?.first?["platform"]?["os"]?.string == "linux")
    }

    @Test func `archives are read by skopeo, and by us`() async throws {
        let image = try await fixture.image()
        for form in ["docker-archive", "oci-archive"] {
            let reference = "\(form):\(fixture.path)/a.tar" + (form == "docker-archive" ? ":acme/churn:v1" : ":v1")
            try await fixture.push(image, to: reference)
            try await sandbox.sh("rm -rf copy && skopeo copy -q '\(reference)' oci:copy:v1")
            try await sandbox.sh("rm -rf bundle && umoci unpack --rootless --image copy:v1 bundle 2>&1")
            try await sandbox.sh("cmp bundle/rootfs/app/serve/server.py - <<'X'\nprint('hello')\nX")
            let base = try await BaseImages(
                cache: fixture.path.appending("base-\(form)"), options: ImageFixture.options()
            )
            .resolve(ImageReference(reference), for: Platform("linux/amd64"), pin: nil)
            #expect(base.layers.map(\.diffID) == image.layers.map(\.diffID))
            #expect((base.manifest.digest == image.manifest.digest) == (form == "oci-archive"))
            for layer in base.layers { _ = try await content(layer.blob) }
        }
        let listed = try await sandbox.sh("skopeo inspect --config oci:copy:v1")
        #expect(listed.contains("/app/serve/server.py"))
    }

    @Test func `archives that skopeo and tar write are read`() async throws {
        let image = try await fixture.image()
        try await fixture.push(image, to: "oci:\(fixture.path)/images:v1")
        try await sandbox.sh(
            """
            skopeo copy -q oci:images:v1 docker-archive:d.tar:acme/churn:v1
            skopeo copy -q oci:images:v1 oci-archive:o.tar:v1
            mkdir unpacked && tar -xf d.tar -C unpacked && tar --format=pax -cf p.tar -C unpacked .
            tar --format=gnu -cf g.tar -C unpacked $(ls unpacked)
            gzip -c d.tar > d.tgz; head -c 5000 d.tar > short.tar; : > empty.tar; echo hello > text.tar
            """)
        let images = BaseImages(cache: fixture.path.appending("base"), options: ImageFixture.options())
        for (place, isSame) in [
            ("docker-archive:d.tar:acme/churn:v1", false), ("docker-archive:d.tar:v1", false),
            ("docker-archive:p.tar", false), ("docker-archive:g.tar", false), ("oci-archive:o.tar:v1", true),
        ] {
            let reference = try ImageReference(place).below(fixture.path)
            let base = try await images.resolve(reference, for: .init("linux/amd64"), pin: nil)
            #expect(base.layers.map(\.diffID) == image.layers.map(\.diffID), "\(place)")
            #expect((base.manifest.digest == image.manifest.digest) == isSame, "\(place)")
        }
        for (file, words) in [
            ("d.tgz", "gunzip"), ("short.tar", "early"), ("empty.tar", "no tar archive"),
            ("text.tar", "no tar archive"),
        ] {
            let failure = await #expect(throws: ImageFailure.self, "\(file)") {
                let reference = try ImageReference("docker-archive:\(file)").below(fixture.path)
                let base = try await images.resolve(reference, for: Platform("linux/amd64"), pin: nil)
                for layer in base.layers { _ = try await content(layer.blob) }
            }
            #expect(failure?.description.contains(words) == true, "\(file): \(String(describing: failure))")
        }
        await #expect(throws: ImageFailure.self) {
            let reference = try ImageReference("docker-archive:d.tar:acme/churn:v2").below(fixture.path)
            _ = try await images.resolve(reference, for: Platform("linux/amd64"), pin: nil)
        }
    }

    @Test func `an image cannot be put under a digest`() async throws {
        let image = try await fixture.image()
        await #expect(throws: ImageFailure.self) {
            try await fixture.push(image, to: "oci:\(fixture.path)/x@\(image.manifest.digest)")
        }
    }
}
