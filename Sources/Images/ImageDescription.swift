public import Base
internal import SystemPackage

/// What manifest and config say of an image, wherever it is.
public struct ImageDescription: Sendable {
    public let reference: ImageReference
    public let manifest: Descriptor
    /// Where the reference named an index and one image of it was chosen.
    public let index: Digest?
    public let platform: Platform?
    /// Of an index: what it is for.
    public let choices: [Platform]
    public let layers: [Descriptor]
    /// Nil for an index.
    public let config: JSON?

    public var labels: [String: String] { config?["config"]?["Labels"]?.texts ?? [:] }

    /// Looks at an image; of an index, at the one for a platform when that is given.
    public init(_ reference: ImageReference, platform: Platform?, _ options: RegistryOptions) async throws {
        self.reference = reference
        let source = try reference.source(options)
        var found = try await source.manifest(nil)
        choices = try found.isIndex ? found.platforms().map(\.platform) : []
        var index: Digest?
        if found.isIndex, let platform {
            let best = try found.platforms().compactMap { choice in
                platform.distance(of: choice.platform).map { ($0, choice.descriptor) }
            }.min { $0.0 < $1.0 }
            guard let best else {
                throw ImageFailure.noPlatform(
                    reference: "\(reference)", wanted: "\(platform)", there: choices.map { "\($0)" })
            }
            index = found.descriptor.digest
            found = try await source.manifest(best.1.digest)
        }
        self.index = index
        manifest = found.descriptor
        guard !found.isIndex else {
            (layers, config, self.platform) = ([], nil, nil)
            return
        }
        layers = try found.layers()
        config = try await Self.config(found, source)
        self.platform = config.flatMap { Platform($0) }
    }

    private static func config(_ manifest: StoredManifest, _ source: any ImageSource) async throws -> JSON? {
        let descriptor = try manifest.config()
        guard descriptor.size <= BaseImages.configLimit else {
            throw ImageFailure.malformed(place: manifest.place, reason: "its config has \(descriptor.size) bytes")
        }
        let file = FilePath(environmentValue("TMPDIR") ?? "/tmp").appending("git-ml-config-\(UUIDv7())")
        defer { Files.remove(file) }
        try await source.fetch(descriptor, to: file) { _ in }
        return try? JSON.parse(try Files.readText(file) ?? "")
    }

    /// One object as `git ml image inspect --json` prints it.
    public var json: JSON {
        [
            "reference": .string("\(reference)"), "digest": .string("\(manifest.digest)"),
            "media_type": .string(manifest.mediaType), "index": .optional(index.map { "\($0)" }),
            "platform": .optional(platform.map { "\($0)" }), "platforms": .array(choices.map { .string("\($0)") }),
            "size": .int(layers.reduce(manifest.size) { $0 + $1.size }),
            "layers": .array(
                layers.map {
                    ["digest": .string("\($0.digest)"), "size": .int($0.size), "media_type": .string($0.mediaType)]
                }),
            "labels": .sorted(labels), "config": config ?? .null,
        ]
    }
}
