internal import Base

/// A document that belongs to an image, such as its bill of materials, stored beside it as a manifest that names the image as
/// its subject (OCI image specification 1.1).
public struct Attachment: Sendable {
    /// What the specification says a manifest without a config names.
    static let emptyConfig = ImageBlob(Array("{}".utf8), mediaType: "application/vnd.oci.empty.v1+json")

    /// What kind of document it is; the media type of its bytes as well.
    public let type: String
    public let bytes: [UInt8]
    let annotations: [String: String]

    public init(type: String, bytes: [UInt8], annotations: [String: String] = [:]) {
        self.type = type
        self.bytes = bytes
        self.annotations = annotations
    }

    var blob: ImageBlob { ImageBlob(bytes, mediaType: type) }

    /// The manifest that makes it a referrer of an image.
    func manifest(of image: Descriptor) -> [UInt8] {
        var manifest: JSON = [
            "schemaVersion": 2, "mediaType": .string(MediaType.manifest), "artifactType": .string(type),
            "config": Self.emptyConfig.descriptor.json, "layers": [blob.descriptor.json], "subject": image.json,
        ]
        if !annotations.isEmpty { manifest.set("annotations", .sorted(annotations)) }
        return Array(manifest.canonical.utf8)
    }

    /// How an index lists it.
    func entry(of image: Descriptor) -> JSON {
        var entry = Descriptor(of: manifest(of: image), mediaType: MediaType.manifest).json
        entry.set("artifactType", .string(type))
        if !annotations.isEmpty { entry.set("annotations", .sorted(annotations)) }
        return entry
    }
}

/// What is to stand beside an image, made only where it is lacking.
public struct Attachments: Sendable {
    let types: [String]
    private let make: @Sendable ([String]) async throws -> [Attachment]

    /// `make` gets those of the types that are lacking; others that it makes go there too.
    public init(_ types: [String], make: @escaping @Sendable ([String]) async throws -> [Attachment]) {
        self.types = types
        self.make = make
    }

    /// What a place lacks where these are already.
    func lacking(beside there: [Referrer]) async throws -> [Attachment] {
        let lacking = types.filter { type in !there.contains { $0.type == type } }
        return lacking.isEmpty ? [] : try await make(lacking)
    }
}

/// A manifest that names an image as its subject.
public struct Referrer: Sendable, Equatable {
    public let type: String
    public let manifest: Descriptor

    /// Those that an index lists; entries that are none are passed over.
    static func list(_ index: JSON, place: String) -> [Referrer] {
        (index["manifests"]?.array ?? []).compactMap { entry in
            guard let type = entry["artifactType"]?.string, let descriptor = try? Descriptor(entry, place: place) else {
                return nil
            }
            return Referrer(type: type, manifest: descriptor)
        }
    }
}

extension ImageSource {
    /// The bytes of a document that belongs to an image, verified.
    public func document(_ referrer: Referrer) async throws -> [UInt8] {
        let manifest = try await manifest(referrer.manifest.digest)
        guard let layer = try manifest.layers().first else {
            throw ImageFailure.malformed(place: manifest.place, reason: "it holds no document")
        }
        guard layer.size <= 64 << 20 else {
            throw ImageFailure.malformed(place: manifest.place, reason: "its document has \(layer.size) bytes")
        }
        return try await read(layer)
    }
}
