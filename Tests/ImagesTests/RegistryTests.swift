import Base
import Storage
import Synchronization
import SystemPackage
import TestSupport
import Testing
import Transport

@testable import Images

/// Push and pull against Debian's docker-registry, and against one that misbehaves.
struct RegistryTests {
    private let fixture: ImageFixture
    private var path: FilePath { fixture.path }

    init() throws { fixture = try ImageFixture() }

    /// Pulls an image whole and compares it with what was pushed.
    private func check(_ image: Image, at reference: String, _ options: RegistryOptions = ImageFixture.options())
        async throws
    {
        let images = BaseImages(cache: path.appending("pull-\(UUIDv7())"), options: options)
        let pulled = try await images.resolve(ImageReference(reference), for: ImageFixture.platform, pin: nil)
        #expect(pulled.manifest == image.manifest)
        #expect(pulled.layers.map(\.descriptor) == image.layers.map(\.descriptor))
        for layer in pulled.layers {
            try layer.blob.check(try await layer.blob.open()) { _ in }
        }
    }

    // MARK: Debian's docker-registry

    @Test func `an image arrives whole in docker-registry, nothing is sent twice, and skopeo reads it`() async throws {
        let registry = try await DockerRegistry(path)
        let image = try await fixture.image()
        let first = try await fixture.push(image, to: "\(registry.host)/acme/tumor:v1")
        #expect(first == Set(image.blobs.map(\.descriptor.digest)))
        let second = try await fixture.push(image, to: "\(registry.host)/acme/tumor:v2")
        #expect(second.isEmpty)
        for tag in ["v1", "v2"] {
            let place = "docker://\(registry.host)/acme/tumor:\(tag)"
            let text = try await fixture.sandbox.sh("skopeo inspect --tls-verify=false \(place)")
            #expect(try JSON.parse(text)["Digest"]?.string == "\(image.manifest.digest)")
        }
        try await fixture.sandbox.sh(
            "skopeo copy -q --src-tls-verify=false docker://\(registry.host)/acme/tumor:v1 oci:copy:v1")
        try await fixture.validate("copy", tag: "v1")
        try await check(image, at: "\(registry.host)/acme/tumor:v1")
        try await check(image, at: "\(registry.host)/acme/tumor@\(image.manifest.digest)")
    }

    @Test func `docker-registry takes a blob in parts`() async throws {
        let registry = try await DockerRegistry(path)
        let image = try await fixture.image(model: 1_000_003)
        var options = ImageFixture.options()
        options.chunk = 100_000
        options.chunksAlways = true
        try await fixture.push(image, to: "\(registry.host)/acme/tumor:v1", options)
        #expect(try registry.count("PATCH", 202) == 11)
        try await check(image, at: "\(registry.host)/acme/tumor:v1")
    }

    @Test func `docker-registry with htpasswd takes the right password only, as docker keeps it`() async throws {
        try await fixture.sandbox.sh("htpasswd -Bbn ann a:secret > passwords")
        let registry = try await DockerRegistry(path, passwords: path.appending("passwords"))
        let image = try await fixture.image()
        let place = "\(registry.host)/acme/tumor:v1"
        try await fixture.push(image, to: place, ImageFixture.options(ImageFixture.ann))
        try await check(image, at: place, ImageFixture.options(ImageFixture.ann))
        for credential in [nil, RegistryCredential.password(user: "ann", password: "wrong")] {
            let failure = await #expect(throws: RemoteFailure.self) {
                try await fixture.push(image, to: place, ImageFixture.options(credential))
            }
            #expect(failure?.reason == .unauthorized && failure?.hints.first?.contains("docker login") == true)
        }
    }

    @Test func `a base's layers are mounted from the same registry and copied from another`() async throws {
        let (here, there) = (try await RegistryServer(path), try await DockerRegistry(path))
        let base = try await fixture.image(model: 70_000, seed: 1)
        for host in [here.host, there.host] { try await fixture.push(base, to: "\(host)/library/base:1") }
        for (host, isMounted) in [(here.host, true), (there.host, false)] {
            let images = BaseImages(cache: path.appending("base-\(isMounted)"), options: ImageFixture.options())
            let found = try await images.resolve(
                ImageReference("\(host)/library/base:1"), for: ImageFixture.platform, pin: nil)
            let image = try await fixture.image(base: found)
            try await fixture.push(image, to: "\(here.host)/acme/\(isMounted):v1")
            try await check(image, at: "\(here.host)/acme/\(isMounted):v1")
            let kept = try Files.list(path.appending("base-\(isMounted)").appending("blobs").appending("sha256"))
            // Manifest and config are always brought, layers only where they cannot be mounted.
            #expect(kept.count == (isMounted ? 2 : 4))
        }
        let mounts = try here.requests("POST", "mount=")
        #expect(mounts.count { $0["status"]?.int == 201 } == 2)
    }

    // MARK: Tokens

    @Test(arguments: ["token", "identity", "basic"])
    func `the registry is logged in to as it asks, before anything is sent`(kind: String) async throws {
        let server = try await RegistryServer(path, "--auth", kind)
        let credential = kind == "identity" ? RegistryCredential.identityToken("identity-secret") : ImageFixture.ann
        let image = try await fixture.image()
        try await fixture.push(image, to: "\(server.host)/acme/tumor:v1", ImageFixture.options(credential))
        try await check(image, at: "\(server.host)/acme/tumor:v1", ImageFixture.options(credential))
        let refused = try server.requests().filter { $0["status"]?.int == 401 }
        #expect(refused.allSatisfy { $0["path"]?.string == "/v2/" }, "\(refused)")
        // One token for all that a push does, with the right to push first.
        let tokens = try server.requests(kind == "identity" ? "POST" : "GET", "/token")
        #expect(tokens.count == (kind == "basic" ? 0 : 2))
    }

    @Test func `a token for a mount allows to pull from there, and Azure's answer holds another name for it`()
        async throws
    {
        let server = try await RegistryServer(path, "--auth", "token")
        try server.misbehave(#"{"access-token":-1,"token-503":1}"#)
        let options = ImageFixture.options(ImageFixture.ann)
        let base = try await fixture.image(model: 70_000, seed: 1)
        try await fixture.push(base, to: "\(server.host)/library/base:1", options)
        let found = try await BaseImages(cache: path.appending("base"), options: options)
            .resolve(ImageReference("\(server.host)/library/base:1"), for: ImageFixture.platform, pin: nil)
        try await fixture.push(try await fixture.image(base: found), to: "\(server.host)/acme/tumor:v1", options)
        #expect(try server.requests("POST", "mount=").allSatisfy { $0["status"]?.int == 201 })
        let scopes = try server.requests("GET", "/token").last?["path"]?.string ?? ""
        #expect(
            scopes.hasSuffix("scope=repository%3Aacme%2Ftumor%3Apull%2Cpush&scope=repository%3Alibrary%2Fbase%3Apull"))
    }

    @Test func `a token that runs out is renewed before an upload, and after one that it did not outlive`() async throws
    {
        let server = try await RegistryServer(path, "--auth", "token", "--lifetime", "2")
        try server.misbehave(#"{"upload-401":1}"#)
        let image = try await fixture.image()
        try await fixture.push(image, to: "\(server.host)/acme/tumor:v1", ImageFixture.options(ImageFixture.ann))
        try await check(image, at: "\(server.host)/acme/tumor:v1", ImageFixture.options(ImageFixture.ann))
        #expect(try server.requests("PUT", "uploads/").contains { $0["status"]?.int == 401 })
    }

    @Test func `a wrong password, and a place for it that it must not go to, end at once`() async throws {
        let server = try await RegistryServer(path, "--auth", "token")
        let image = try await fixture.image()
        let wrong = await #expect(throws: RemoteFailure.self) {
            let options = ImageFixture.options(.password(user: "ann", password: "no"))
            try await fixture.push(image, to: "\(server.host)/acme/tumor:v1", options)
        }
        #expect(wrong?.reason == .unauthorized)
        #expect(wrong?.description.contains("DENIED: incorrect username or password") == true)
        try server.misbehave(#"{"realm":{"times":-1,"to":"file:///etc/passwd"}}"#)
        let leak = await #expect(throws: RemoteFailure.self) {
            try await fixture.push(image, to: "\(server.host)/acme/tumor:v1", ImageFixture.options(ImageFixture.ann))
        }
        #expect(leak?.reason == .refused || leak?.reason == .unexpectedAnswer)
    }

    // MARK: The ladder

    @Test(arguments: [
        #"{"relative":-1}"#, #"{"cross-host":-1}"#, #"{"put-429":{"times":2,"retry-after":0}}"#, #"{"put-503":2}"#,
        #"{"put-lost":1}"#, #"{"head-503":1}"#, #"{"put-413":{"times":-1,"over":1000}}"#,
        #"{"put-413":{"times":-1,"over":1000},"patch-416":2}"#, #"{"put-413":{"times":-1,"over":1000},"relative":-1}"#,
        #"{"put-413":{"times":-1,"over":1000},"cross-host":-1}"#,
        #"{"put-413":{"times":-1,"over":1000},"patch-401":1}"#, #"{"manifest-400":2}"#, #"{"put-400":1}"#,
        #"{"put-413":{"times":-1,"over":1000},"patch-cut":{"times":1,"at":7000}}"#,
        #"{"put-413":{"times":-1,"over":1000},"patch-short":{"times":1,"by":10}}"#, #"{"manifest-unknown":1}"#,
    ])
    func `a push arrives whole at a registry that`(misbehaves: String) async throws {
        let server = try await RegistryServer(path, "--auth", "token")
        try server.misbehave(misbehaves)
        var options = ImageFixture.options(ImageFixture.ann)
        options.chunk = 100_000
        let image = try await fixture.image()
        let count = Count()
        try await fixture.push(image, to: "\(server.host)/acme/tumor:v1", options) { count.add($0) }
        try server.misbehave("{}")
        try await check(image, at: "\(server.host)/acme/tumor:v1", options)
        // The registry alone is shown the login.
        #expect(try server.requests().allSatisfy { $0["other"]?.bool != true || $0["shown"]?.string == "" })
        // What had to be sent again is not counted again.
        if !misbehaves.contains("lost"), !misbehaves.contains("unknown") {
            #expect(count.value == image.blobs.reduce(0) { $0 + $1.descriptor.size })
        }
    }

    @Test(arguments: [#"{"mount-202":-1}"#, #"{"mount-400":-1}"#])
    func `a base's layer that cannot be mounted is sent`(misbehaves: String) async throws {
        let server = try await RegistryServer(path)
        let base = try await fixture.image(model: 70_000, seed: 1)
        try await fixture.push(base, to: "\(server.host)/library/base:1")
        try server.misbehave(misbehaves)
        let found = try await BaseImages(cache: path.appending("base"), options: ImageFixture.options())
            .resolve(ImageReference("\(server.host)/library/base:1"), for: ImageFixture.platform, pin: nil)
        let image = try await fixture.image(base: found)
        try await fixture.push(image, to: "\(server.host)/acme/tumor:v1")
        try await check(image, at: "\(server.host)/acme/tumor:v1")
    }

    @Test(arguments: [
        (#"{"put-503":-1}"#, RemoteFailure.Reason.outOfOrder, "UNAVAILABLE: later"),
        (#"{"put-429":{"times":-1,"retry-after":600}}"#, .busy, "TOOMANYREQUESTS: slow down"),
        (#"{"ping-html":-1}"#, .unexpectedAnswer, "web page"),
        (#"{"location-http":{"times":-1,"to":"http://169.254.169.254/latest"}}"#, .unexpectedAnswer, "private network"),
        (#"{"location-http":{"times":-1,"to":"file:///etc/passwd"}}"#, .unexpectedAnswer, "without saying where"),
    ])
    func `a push that cannot succeed ends with the registry's words and without a tag`(
        misbehaves: String, reason: RemoteFailure.Reason, words: String
    ) async throws {
        let server = try await RegistryServer(path)
        try server.misbehave(misbehaves)
        let image = try await fixture.image()
        let failure = await #expect(throws: (any Error).self) {
            try await fixture.push(image, to: "\(server.host)/acme/tumor:v1")
        }
        #expect(failure.map { "\($0)" }?.contains(words) == true, "\(String(describing: failure))")
        #expect((failure as? RemoteFailure)?.reason == reason, "\(String(describing: failure))")
        #expect(try server.requests("PUT", "manifests/").isEmpty)
    }

    @Test func `a registry that is not there is named`() async throws {
        let image = try await fixture.image()
        let failure = await #expect(throws: RemoteFailure.self) {
            try await fixture.push(image, to: "127.0.0.1:\(freePort())/acme/tumor:v1")
        }
        #expect(failure?.description.hasPrefix("http://127.0.0.1:") == true)
    }

    @Test func `a file that changed after it was hashed is told of when the registry finds out`() async throws {
        let server = try await RegistryServer(path)
        let file = path.appending("m.bin")
        try Files.replace(file, with: ImageFixture.noise(100_000))
        let layer = try await fixture.layer(.model, [LayerEntry("app/model/m.bin", .file(file, size: 100_000))])
        let image = try ImageBuilder(base: nil, platform: .host).image(
            [layer], ImageSettings(created: fixture.time, entrypoint: ["x"]))
        try Files.replace(file, with: ImageFixture.noise(100_000, seed: 8))
        let failure = await #expect(throws: ImageFailure.self) {
            try await fixture.push(image, to: "\(server.host)/acme/tumor:v1")
        }
        #expect(failure?.description.contains("a file behind it has changed") == true)
        #expect(try server.requests("PUT", "manifests/").isEmpty)
    }

    // MARK: Pull

    @Test func `a blob that breaks off is gone on with, and one behind a redirect is got without the login`()
        async throws
    {
        let server = try await RegistryServer(path, "--auth", "token")
        let options = ImageFixture.options(ImageFixture.ann)
        let image = try await fixture.image()
        try await fixture.push(image, to: "\(server.host)/acme/tumor:v1", options)
        try server.misbehave(#"{"blob-cut":{"times":2,"at":50},"blob-redirect":-1}"#)
        try await check(image, at: "\(server.host)/acme/tumor:v1", options)
        #expect(try server.requests("GET", "/stored/").contains { $0["status"]?.int == 206 })
        #expect(try server.requests().allSatisfy { $0["other"]?.bool != true || $0["shown"]?.string == "" })
    }

    @Test(arguments: ["blob-wrong", "blob-html", "manifest-wrong-header", "manifest-wrong-bytes", "manifest-html"])
    func `what a registry sends is checked`(misbehaves: String) async throws {
        let server = try await RegistryServer(path)
        let image = try await fixture.image()
        try await fixture.push(image, to: "\(server.host)/acme/tumor:v1")
        try server.misbehave("{\"\(misbehaves)\":-1}")
        let failure = await #expect(throws: (any Error).self) {
            let images = BaseImages(cache: path.appending("pull"), options: ImageFixture.options())
            let base = try await images.resolve(
                ImageReference("\(server.host)/acme/tumor@\(image.manifest.digest)"), for: ImageFixture.platform,
                pin: nil)
            for layer in base.layers { _ = try await layer.blob.open() }
        }
        #expect([.corrupt, .remote].contains((failure as? any Failure)?.kind), "\(String(describing: failure))")
        let kept = (try? Files.list(path.appending("pull").appending("blobs").appending("sha256"))) ?? []
        for name in kept {
            let digest = try Digest.of(file: path.appending(FilePath("pull/blobs/sha256/\(name)").components)).digest
            #expect(digest.hex == name)
        }
    }

    @Test func `an image that is not there is not found`() async throws {
        let server = try await RegistryServer(path)
        let failure = await #expect(throws: ImageFailure.self) {
            let images = BaseImages(cache: path.appending("pull"), options: ImageFixture.options())
            _ = try await images.resolve(ImageReference("\(server.host)/acme/no:v1"), for: .host, pin: nil)
        }
        #expect(failure == .notFound(reference: "\(server.host)/acme/no:v1"))
    }

    private final class Count: Sendable {
        private let total = Mutex<Int64>(0)
        var value: Int64 { total.withLock { $0 } }
        func add(_ bytes: Int64) { total.withLock { $0 += bytes } }
    }
}
