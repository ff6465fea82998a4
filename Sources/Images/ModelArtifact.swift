public import Base

/// A file of a bare model: what it is called there, and a way to its bytes.
public struct ModelFile: Sendable {
    public let name: String
    public let isExecutable: Bool
    let digest: Digest
    let size: Int64
    let open: @Sendable () async throws -> BlobContent

    /// A file by its name below the model's folder; `open` is asked when a place lacks the bytes.
    public init(
        _ name: String, isExecutable: Bool, _ digest: Digest, size: Int64,
        open: @escaping @Sendable () async throws -> BlobContent
    ) {
        self.name = name
        self.isExecutable = isExecutable
        self.digest = digest
        self.size = size
        self.open = open
    }
}

/// A bare model as an OCI artifact, in the form of the CNCF's ModelPack (model-spec v1).
///
/// Each file is a blob as it is, so that its digest in the registry is the one that the repository knows it by, and nothing
/// is hashed to package it. `oras pull`, podman and CRI-O's image volumes find the names in `org.opencontainers.image.title`. A
/// folder of very many files is one tar archive.
public struct ModelArtifact: Sendable {
    /// More layers than this make manifests that registries refuse.
    public static let fileLimit = 500

    /// What its manifest calls itself.
    public static let type = "application/vnd.cncf.model.manifest.v1+json"
    private static let configType = "application/vnd.cncf.model.config.v1+json"
    private static let rawType = "application/vnd.cncf.model.weight.v1.raw"
    private static let tarType = "application/vnd.cncf.model.weight.v1.tar"
    private static let pathKey = "org.cncf.model.filepath"
    private static let metadataKey = "org.cncf.model.file.metadata+json"
    private static let titleKey = "org.opencontainers.image.title"

    private let layers: [Layer]
    private let annotations: [[String: String]]
    private let format: String?

    /// Each file by itself.
    public init(_ files: [ModelFile]) {
        layers = files.map { file in
            let descriptor = Descriptor(mediaType: Self.rawType, digest: file.digest, size: file.size)
            return Layer(kind: .model, diffID: file.digest, blob: ImageBlob(descriptor, open: file.open))
        }
        annotations = files.map { file in
            [Self.pathKey: file.name, Self.titleKey: file.name, Self.metadataKey: Self.metadata(file).canonical]
        }
        format = Self.format(files.map(\.name))
    }

    /// All of them in a layer that is a bare tar archive; `names` are those of its files.
    public init(_ layer: Layer, names: [String]) {
        let descriptor = Descriptor(
            mediaType: Self.tarType, digest: layer.descriptor.digest, size: layer.descriptor.size)
        layers = [
            Layer(kind: .model, diffID: layer.diffID, blob: ImageBlob(descriptor, open: layer.blob.open))
        ]
        annotations = [[Self.pathKey: "."]]
        format = Self.format(names)
    }

    /// Writes config and manifest; the settings' labels and everything that is for running it are left out.
    public func image(name: String, version: String, revision: String, source: String?, _ settings: ImageSettings)
        -> Image
    {
        var descriptor: JSON = [
            "createdAt": .string(settings.created.wholeSeconds), "name": .string(name), "revision": .string(revision),
            "version": .string(version),
        ]
        descriptor.set("sourceURL", source.map { .string($0) })
        var details: JSON = [:]
        details.set("format", format.map { .string($0) })
        let config: JSON = [
            "descriptor": descriptor, "config": details,
            "modelfs": ["type": "layers", "diffIds": .array(layers.map { .string("\($0.diffID)") })],
        ]
        let configBlob = ImageBlob(Array(config.canonical.utf8), mediaType: Self.configType)
        let manifest: JSON = [
            "schemaVersion": 2, "mediaType": .string(MediaType.manifest), "artifactType": .string(Self.type),
            "config": configBlob.descriptor.json,
            "layers": .array(
                zip(layers, annotations).map { layer, annotations in
                    var json = layer.descriptor.json
                    json.set("annotations", .sorted(annotations))
                    return json
                }), "annotations": .sorted(settings.annotations),
        ]
        let bytes = Array(manifest.canonical.utf8)
        return Image(
            manifest: Descriptor(of: bytes, mediaType: MediaType.manifest), platform: nil, layers: layers,
            config: config, manifestBytes: bytes, configBlob: configBlob)
    }

    /// What the tar header of the file would say.
    private static func metadata(_ file: ModelFile) -> JSON {
        [
            "name": .string(file.name), "mode": .int(file.isExecutable ? 0o755 : 0o644), "uid": 0, "gid": 0,
            "size": .int(file.size), "mtime": "1970-01-01T00:00:00Z", "typeflag": 48,
        ]
    }

    /// The format of the weights, where the names tell it.
    private static func format(_ names: [String]) -> String? {
        let known = ["onnx", "safetensors", "gguf", "tflite"]
        let found = Set(names.compactMap { $0.split(separator: ".").last.map { $0.lowercased() } }).intersection(known)
        return found.count == 1 ? found.first : nil
    }
}
