public import Base
public import SystemPackage

/// What a manifest says of one blob.
public struct Descriptor: Sendable, Hashable {
    public let mediaType: String
    public let digest: Digest
    /// In bytes.
    public let size: Int64

    var json: JSON {
        ["mediaType": .string(mediaType), "digest": .string(digest.description), "size": .int(size)]
    }

    init(mediaType: String, digest: Digest, size: Int64) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
    }

    init(_ json: JSON, place: String) throws {
        guard let type = json["mediaType"]?.string, let digest = json["digest"]?.string.flatMap({ Digest($0) }),
            let size = json["size"]?.int
        else { throw ImageFailure.malformed(place: place, reason: "a descriptor lacks mediaType, digest or size") }
        self.init(mediaType: type, digest: digest, size: size)
    }
}

/// A folder in the form of the OCI image layout: what skopeo, umoci and podman call `oci:DIR`.
public struct OCILayout: Sendable {
    public let root: FilePath

    public init(_ root: FilePath) { self.root = root }

    /// Where a blob lies.
    public func path(of digest: Digest) -> FilePath {
        root.appending("blobs").appending("sha256").appending(digest.hex)
    }

    public func contains(_ descriptor: Descriptor) -> Bool {
        Files.status(path(of: descriptor.digest))?.size == descriptor.size
    }

    /// Stores bytes that are in memory.
    func insert(_ bytes: [UInt8], mediaType: String) throws -> Descriptor {
        let descriptor = Descriptor(mediaType: mediaType, digest: .of(bytes), size: Int64(bytes.count))
        if !contains(descriptor) { try Files.replace(path(of: descriptor.digest), with: bytes) }
        return descriptor
    }

    /// A small blob's bytes, verified.
    func read(_ descriptor: Descriptor) throws -> [UInt8] {
        let path = path(of: descriptor.digest)
        guard let bytes = try Files.read(path) else { throw ImageFailure.notFound(reference: path.string) }
        guard Digest.of(bytes) == descriptor.digest else {
            throw ImageFailure.malformed(place: path.string, reason: "its bytes do not match its digest")
        }
        return bytes
    }

    /// Names a manifest in the index; another manifest of that name loses it.
    ///
    /// The last step of publishing.
    func publish(_ manifest: Descriptor, as name: String) throws {
        try FileLock.with(root.appending(".git-ml.lock")) {
            try Files.replace(root.appending("oci-layout"), with: #"{"imageLayoutVersion":"1.0.0"}"#.utf8)
            let index = root.appending("index.json")
            let key = "org.opencontainers.image.ref.name"
            let old = try Files.readText(index).map { try JSON.parse($0)["manifests"]?.array ?? [] } ?? []
            let kept = old.filter { $0["annotations"]?[key]?.string != name }
            let entry = manifest.json.members ?? []
            let new = JSON.object(entry + [JSON.Member("annotations", [key: .string(name)])])
            let json: JSON = [
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": .array(kept + [new]),
            ]
            try Files.replace(index, with: json.canonical.utf8)
        }
    }
}
