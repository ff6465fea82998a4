public import Base

/// The names that registries know contents by.
enum MediaType {
    static let config = "application/vnd.oci.image.config.v1+json"
    static let manifest = "application/vnd.oci.image.manifest.v1+json"
    static let index = "application/vnd.oci.image.index.v1+json"
    static let gzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip"
    static let tarLayer = "application/vnd.oci.image.layer.v1.tar"

    static let manifests = [manifest, "application/vnd.docker.distribution.manifest.v2+json"]
    static let indexes = [index, "application/vnd.docker.distribution.manifest.list.v2+json"]

    /// What is asked for where a manifest is meant.
    static let acceptManifests = (manifests + indexes).joined(separator: ", ")

    /// What a layer is called in an OCI manifest; nil for what cannot stand in one.
    static func ociLayer(_ type: String) -> String? {
        switch type {
        case tarLayer, gzipLayer, tarLayer + "+zstd": type
        case "application/vnd.docker.image.rootfs.diff.tar.gzip": gzipLayer
        case "application/vnd.docker.image.rootfs.diff.tar": tarLayer
        case "application/vnd.docker.image.rootfs.diff.tar.zstd": tarLayer + "+zstd"
        default: nil
        }
    }
}

/// What a manifest says of one blob.
public struct Descriptor: Sendable, Hashable {
    public let mediaType: String
    public let digest: Digest
    /// In bytes.
    public let size: Int64

    public var json: JSON {
        ["mediaType": .string(mediaType), "digest": .string(digest.description), "size": .int(size)]
    }

    init(mediaType: String, digest: Digest, size: Int64) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
    }

    init(of bytes: [UInt8], mediaType: String) {
        self.init(mediaType: mediaType, digest: .of(bytes), size: Int64(bytes.count))
    }

    public init(_ json: JSON, place: String) throws {
        guard let type = json["mediaType"]?.string, let text = json["digest"]?.string, let size = json["size"]?.int,
            size >= 0
        else { throw ImageFailure.malformed(place: place, reason: "a descriptor lacks mediaType, digest or size") }
        guard let digest = text.hasPrefix("sha256:") ? Digest(text) : nil else {
            throw ImageFailure.malformed(place: place, reason: "“\(text)” is no SHA-256 digest")
        }
        self.init(mediaType: type, digest: digest, size: size)
    }
}

/// A manifest or an index, as it is stored.
public struct StoredManifest: Sendable {
    /// More is no manifest: registries refuse it too.
    static let limit = 4 << 20

    public let descriptor: Descriptor
    let bytes: [UInt8]
    public let json: JSON
    /// Where it was found, for messages.
    let place: String

    /// Takes bytes that should be a manifest.
    ///
    /// `type` is what it was called where it lay; what it says of itself goes before that, and must not contradict. `digest` is what
    /// it was asked for by; other bytes are refused.
    init(_ bytes: [UInt8], type: String?, digest: Digest?, place: String) throws {
        let found = Digest.of(bytes)
        if let digest, digest != found {
            throw ImageFailure.malformed(place: place, reason: "its bytes do not match its digest: they have \(found)")
        }
        guard let json = try? JSON.parse(String(decoding: bytes, as: UTF8.self)), json.members != nil else {
            throw ImageFailure.malformed(
                place: place,
                reason: bytes.first == UInt8(ascii: "<") ? "it is a web page, not a manifest" : "it is not JSON")
        }
        let known = MediaType.manifests + MediaType.indexes
        let outer = type.flatMap { known.contains($0) ? $0 : nil }
        let inner = json["mediaType"]?.string ?? Self.guess(json)
        if let outer, let inner, outer != inner {
            throw ImageFailure.malformed(place: place, reason: "it is called \(outer) and calls itself \(inner)")
        }
        guard let kind = inner ?? outer else {
            throw ImageFailure.malformed(place: place, reason: "it does not say what it is")
        }
        guard known.contains(kind) else {
            let isOld = kind.contains("manifest.v1")
            throw ImageFailure.unsupported(
                "\(place) is of the kind \(kind), which cannot be used",
                hints: isOld ? ["copy it once with `skopeo copy --format v2s2`"] : [])
        }
        descriptor = Descriptor(mediaType: kind, digest: found, size: Int64(bytes.count))
        self.bytes = bytes
        self.json = json
        self.place = place
    }

    /// OCI lets a manifest leave out its own name.
    private static func guess(_ json: JSON) -> String? {
        if json["manifests"]?.array != nil { return MediaType.index }
        return json["layers"]?.array != nil && json["config"] != nil ? MediaType.manifest : nil
    }

    public var isIndex: Bool { MediaType.indexes.contains(descriptor.mediaType) }

    /// The manifests of an index that are for some platform.
    public func platforms() throws -> [(platform: Platform, descriptor: Descriptor)] {
        try (json["manifests"]?.array ?? []).compactMap { entry in
            // Attestations stand beside images, for the platform unknown/unknown.
            guard let platform = entry["platform"].flatMap({ Platform($0) }), platform.os != "unknown" else {
                return nil
            }
            return (platform, try Descriptor(entry, place: place))
        }
    }

    /// The image of an index that suits a platform best; the error lists what there is.
    func choose(_ platform: Platform, _ reference: ImageReference) throws -> Descriptor {
        let choices = try platforms()
        let best = choices.compactMap { choice in
            platform.distance(of: choice.platform).map { (distance: $0, descriptor: choice.descriptor) }
        }.min { $0.distance < $1.distance }
        guard let best else {
            throw ImageFailure.noPlatform(
                reference: "\(reference)", wanted: "\(platform)", there: choices.map { "\($0.platform)" }.sorted())
        }
        return best.descriptor
    }

    func config() throws -> Descriptor {
        guard let config = json["config"] else { throw ImageFailure.malformed(place: place, reason: "no config") }
        return try Descriptor(config, place: place)
    }

    public func layers() throws -> [Descriptor] {
        try (json["layers"]?.array ?? []).map { try Descriptor($0, place: place) }
    }
}
