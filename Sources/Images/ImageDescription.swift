public import Base

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
    /// What stands beside it: kinds of documents.
    public let attached: [String]

    /// What kind of artifact it is; nil for an image that can be run.
    public let artifactType: String?
    /// What it says of itself: the labels of an image, the annotations of an artifact.
    public let labels: [String: String]

    /// Looks at an image; of an index, at the one for a platform when that is given.
    public init(_ reference: ImageReference, platform: Platform?, _ options: RegistryOptions) async throws {
        self.reference = reference
        let source = try reference.source(options)
        var found = try await source.manifest(nil)
        choices = try found.isIndex ? found.platforms().map(\.platform) : []
        var index: Digest?
        if found.isIndex, let platform {
            let choice = try found.choose(platform, reference)
            index = found.descriptor.digest
            found = try await source.manifest(choice.digest)
        }
        self.index = index
        manifest = found.descriptor
        artifactType = found.isIndex ? nil : found.json["artifactType"]?.string
        guard !found.isIndex else {
            labels = [:]
            (layers, config, self.platform, attached) = ([], nil, nil, [])
            return
        }
        layers = try found.layers()
        config = try await Self.config(found, source)
        labels = config?["config"]?["Labels"]?.texts ?? found.json["annotations"]?.texts ?? [:]
        self.platform = config.flatMap { Platform($0) }
        attached = try await source.referrers(of: manifest.digest).map(\.type)
    }

    private static func config(_ manifest: StoredManifest, _ source: any ImageSource) async throws -> JSON? {
        let descriptor = try manifest.config()
        guard descriptor.size <= BaseImages.configLimit else {
            throw ImageFailure.malformed(place: manifest.place, reason: "its config has \(descriptor.size) bytes")
        }
        return try? JSON.parse(String(decoding: try await source.read(descriptor), as: UTF8.self))
    }

    /// One object as `git ml image inspect --json` prints it.
    public var json: JSON {
        [
            "reference": .string("\(reference)"), "digest": .string("\(manifest.digest)"),
            "media_type": .string(manifest.mediaType), "artifact": .optional(artifactType),
            "index": .optional(index.map { "\($0)" }),
            "platform": .optional(platform.map { "\($0)" }), "platforms": .array(choices.map { .string("\($0)") }),
            "size": .int(layers.reduce(manifest.size) { $0 + $1.size }),
            "layers": .array(
                layers.map {
                    ["digest": .string("\($0.digest)"), "size": .int($0.size), "media_type": .string($0.mediaType)]
                }),
            "attached": .array(attached.map { .string($0) }), "labels": .sorted(labels), "config": config ?? .null,
        ]
    }
}
