public import Base
public import SystemPackage

/// A layer that is stored, with what registries and configs call it.
public struct Layer: Sendable, Hashable {
    public enum Kind: String, Sendable { case base, dependencies, code, model }

    public let kind: Kind
    public let descriptor: Descriptor
    /// The digest of the tar archive, before gzip.
    public let diffID: Digest
}

/// A finished image.
public struct Image: Sendable {
    public let manifest: Descriptor
    public let layers: [Layer]

    /// All its bytes, shared layers included.
    public var size: Int64 { layers.reduce(manifest.size) { $0 + $1.descriptor.size } }
}

/// What an image is besides its layers.
public struct ImageSettings: Sendable {
    public var created: Timestamp
    public var entrypoint: [String]
    public var environment: [String]
    public var ports: [Int]
    public var labels: [String: String]
    public var annotations: [String: String]

    public init(
        created: Timestamp, entrypoint: [String], environment: [String] = [], ports: [Int] = [],
        labels: [String: String] = [:], annotations: [String: String] = [:]
    ) {
        self.created = created
        self.entrypoint = entrypoint
        self.environment = environment
        self.ports = ports
        self.labels = labels
        self.annotations = annotations
    }
}

/// Builds images into an OCI layout; the same input gives the same digest on every machine.
public struct ImageBuilder: Sendable {
    /// Part of every cached layer's key: goes up when the bytes that this packer writes must change.
    static let revision = 1

    private let layout: OCILayout
    private let cache: FilePath

    /// `cache` is a folder that remembers which input gave which layer; it can be deleted at any time.
    public init(layout: OCILayout, cache: FilePath) {
        self.layout = layout
        self.cache = cache
    }

    /// Stores a layer.
    ///
    /// When the same entries have been packed before and the blob is still there, nothing is read.
    ///
    /// `key` names the content of all entries: equal keys mean equal bytes.
    public func layer(_ kind: Layer.Kind, _ entries: [LayerEntry], key: Digest, time: Timestamp) throws -> Layer {
        let note = cache.appending(
            Digest.of("\(Self.revision) \(kind.rawValue) \(key) \(time.wholeSeconds)").hex + ".json")
        if let known = try? cached(note, kind), layout.contains(known.descriptor) { return known }

        let incoming = layout.root.appending("blobs").appending("sha256").appending("incoming-\(UUIDv7())")
        var tar = Digest.Hasher()
        var blob = Digest.Hasher()
        var size: Int64 = 0
        do {
            try Files.replace(incoming) { file in
                var gzip = try StoredGzip { piece in
                    blob.update(piece)
                    size += Int64(piece.count)
                    do { _ = try file.writeAll(piece) } catch let errno as Errno {
                        throw FileFailure("write", incoming, errno)
                    }
                }
                try TarWriter(time: time) { piece in
                    tar.update(piece)
                    try gzip.append(piece)
                }.archive(entries)
                try gzip.finish()
            }
            let layer = Layer(
                kind: kind,
                descriptor: Descriptor(
                    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: blob.finish(), size: size),
                diffID: tar.finish())
            try Files.rename(incoming, to: layout.path(of: layer.descriptor.digest))
            let json: JSON = ["layer": layer.descriptor.json, "diff": .string(layer.diffID.description)]
            try Files.replace(note, with: "\(json)\n".utf8)
            return layer
        } catch {
            Files.remove(incoming)
            throw error
        }
    }

    private func cached(_ note: FilePath, _ kind: Layer.Kind) throws -> Layer? {
        guard let text = try Files.readText(note) else { return nil }
        let json = try JSON.parse(text)
        guard let layer = json["layer"], let diff = json["diff"]?.string.flatMap({ Digest($0) }) else { return nil }
        return Layer(kind: kind, descriptor: try Descriptor(layer, place: note.string), diffID: diff)
    }

    /// Writes config and manifest and, last of all, the name.
    public func image(_ layers: [Layer], _ settings: ImageSettings, as name: String) throws -> Image {
        let created = JSON.string(settings.created.wholeSeconds)
        let config: JSON = [
            "architecture": .string(Self.architecture), "os": "linux", "created": created,
            "config": [
                "Entrypoint": .array(settings.entrypoint.map { .string($0) }),
                "Env": .array(settings.environment.map { .string($0) }),
                "ExposedPorts": .object(settings.ports.map { JSON.Member("\($0)/tcp", [:]) }),
                "Labels": .sorted(settings.labels), "User": "65532:65532", "WorkingDir": "/app",
            ],
            "rootfs": ["type": "layers", "diff_ids": .array(layers.map { .string($0.diffID.description) })],
            "history": .array(
                layers.map { ["created": created, "created_by": .string("git-ml: \($0.kind.rawValue)")] }),
        ]
        let stored = try layout.insert(
            Array(config.canonical.utf8), mediaType: "application/vnd.oci.image.config.v1+json")
        let type = "application/vnd.oci.image.manifest.v1+json"
        let manifest: JSON = [
            "schemaVersion": 2, "mediaType": .string(type), "config": stored.json,
            "layers": .array(layers.map(\.descriptor.json)), "annotations": .sorted(settings.annotations),
        ]
        let descriptor = try layout.insert(Array(manifest.canonical.utf8), mediaType: type)
        try layout.publish(descriptor, as: name)
        return Image(manifest: descriptor, layers: layers)
    }

    private static var architecture: String {
        #if arch(arm64)
        "arm64"
        #else
        "amd64"
        #endif
    }
}
