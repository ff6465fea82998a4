public import Base
public import SystemPackage

/// A folder in the form of the OCI image layout: what skopeo, umoci and podman call `oci:DIR`.
public struct OCILayout: Sendable {
    static let version = #"{"imageLayoutVersion":"1.0.0"}"#
    static let nameKey = "org.opencontainers.image.ref.name"

    public let root: FilePath

    public init(_ root: FilePath) { self.root = root }

    /// Where a blob lies.
    public func path(of digest: Digest) -> FilePath {
        root.appending("blobs").appending("sha256").appending(digest.hex)
    }

    public func contains(_ descriptor: Descriptor) -> Bool {
        Files.status(path(of: descriptor.digest))?.size == descriptor.size
    }

    /// Names a manifest in the index; another manifest of that name loses it.
    ///
    /// The last step of publishing.
    func publish(
        _ manifest: Descriptor, _ platform: Platform?, as name: String, _ referrers: [JSON] = []
    ) throws {
        try FileLock.with(root.appending(".git-ml.lock")) {
            try Files.replace(root.appending("oci-layout"), with: Self.version.utf8)
            let index = root.appending("index.json")
            let old = try Files.readText(index).map { text in
                try context("\(index) cannot be read") { try JSON.parse(text)["manifests"]?.array ?? [] }
            }
            let new = [Self.entry(manifest, platform, as: name)] + referrers
            let kept = (old ?? []).filter { entry in
                entry["annotations"]?[Self.nameKey]?.string != name
                    && !referrers.contains { $0["digest"] == entry["digest"] }
            }
            try Files.replace(
                index, with: Self.index(kept + new).canonical.utf8)
        }
    }

    static func index(_ manifests: [JSON]) -> JSON {
        ["schemaVersion": 2, "mediaType": .string(MediaType.index), "manifests": .array(manifests)]
    }

    static func entry(_ manifest: Descriptor, _ platform: Platform?, as name: String) -> JSON {
        var entry = manifest.json
        if let platform {
            var words: JSON = ["os": .string(platform.os), "architecture": .string(platform.architecture)]
            words.set("variant", platform.variant.map { .string($0) })
            entry.set("platform", words)
        }
        entry.set("annotations", [nameKey: .string(name)])
        return entry
    }
}

/// Finds a manifest in the `index.json` of a layout, wherever the layout lies.
struct LayoutIndex {
    let json: JSON
    let place: String

    init(_ text: String?, place: String) throws {
        guard let text else {
            throw ImageFailure.notFound(
                reference: place, hints: ["an OCI layout is a folder with index.json and blobs/ in it"])
        }
        guard let json = try? JSON.parse(text), json["manifests"]?.array != nil else {
            throw ImageFailure.malformed(place: place, reason: "its index.json lists no manifests")
        }
        self.json = json
        self.place = place
    }

    /// The manifest of that name, or the only one there is.
    func find(_ tag: String?) throws -> Descriptor {
        // What belongs to an image stands beside it, and is none.
        let all = (json["manifests"]?.array ?? []).filter { $0["artifactType"] == nil }
        let names = all.map { $0["annotations"]?[OCILayout.nameKey]?.string }
        let found = tag.map { tag in zip(all, names).filter { $0.1 == tag }.map(\.0) } ?? all
        guard let entry = found.first, found.count == 1 else {
            let there = names.compactMap { $0 }
            throw ImageFailure.notFound(
                reference: place + (tag.map { ":" + $0 } ?? ""),
                hints: there.isEmpty ? [] : ["there are: \(there.prefix(20).joined(separator: ", "))"])
        }
        return try Descriptor(entry, place: place)
    }
}

/// Reads images of a layout.
struct LayoutSource: ImageSource {
    private let layout: OCILayout
    private let tag: String?
    private let digest: Digest?

    init(_ layout: OCILayout, tag: String?, digest: Digest?) {
        self.layout = layout
        self.tag = tag
        self.digest = digest
    }

    var address: String { "oci:\(layout.root)" }

    func manifest(_ digest: Digest?) async throws -> StoredManifest {
        let wanted: Digest
        if let asked = digest ?? self.digest {
            wanted = asked
        } else {
            wanted = try LayoutIndex(Files.readText(layout.root.appending("index.json")), place: address).find(tag)
                .digest
        }
        guard let bytes = try Files.read(layout.path(of: wanted)) else {
            throw ImageFailure.notFound(reference: "\(address)@\(wanted)")
        }
        return try StoredManifest(bytes, type: nil, digest: wanted, place: "\(address)@\(wanted)")
    }

    func referrers(of image: Digest) async throws -> [Referrer] {
        let index = try LayoutIndex(Files.readText(layout.root.appending("index.json")), place: address)
        return try Referrer.list(index.json, place: address).filter { referrer in
            guard let text = try Files.readText(layout.path(of: referrer.manifest.digest)) else { return false }
            return (try? JSON.parse(text))?["subject"]?["digest"]?.string == "\(image)"
        }
    }

    func fetch(_ blob: Descriptor, to file: FilePath, progress: @escaping ByteProgress) async throws {
        let path = layout.path(of: blob.digest)
        guard Files.exists(path) else { throw ImageFailure.notFound(reference: "\(address)@\(blob.digest)") }
        try await Threads.result {
            try Files.replace(file) { target in
                var hasher = Digest.Hasher()
                let size = try Files.readPieces(of: path) { piece in
                    hasher.update(piece)
                    try target.write(all: piece, to: file)
                    progress(Int64(piece.count))
                }
                guard size == blob.size, hasher.finish() == blob.digest else {
                    throw ImageFailure.malformed(place: path.string, reason: "its bytes do not match its digest")
                }
            }
        }
    }
}

/// Puts images into a layout.
struct LayoutDestination: ImageDestination {
    private let layout: OCILayout
    private let tag: String

    init(_ layout: OCILayout, tag: String) {
        self.layout = layout
        self.tag = tag
    }

    func lacking(_ image: Image) async throws -> Set<Digest> {
        Set(image.blobs.map(\.descriptor).filter { !layout.contains($0) }.map(\.digest))
    }

    func store(_ image: Image, _ report: TransferReport) async throws -> Set<Digest> {
        let lacking = try await lacking(image)
        let blobs = image.blobs.filter { lacking.contains($0.descriptor.digest) }
        report.total(blobs.reduce(0) { $0 + $1.descriptor.size })
        try await blobs.forEach(width: 4) { try await layout.insert($0, progress: report.moved) }
        if !layout.contains(image.manifest) {
            try Files.replace(layout.path(of: image.manifest.digest), with: image.manifestBytes)
        }
        let attached = try await attach(image, isNew: !lacking.isEmpty)
        try layout.publish(image.manifest, image.platform, as: tag, attached)
        // Whoever removed another image just now has taken what only that one needed; what is published is safe.
        for blob in image.blobs { try await layout.insert(blob) }
        return lacking
    }

    /// Stores what is to stand beside the image, and returns how the index lists it.
    private func attach(_ image: Image, isNew: Bool) async throws -> [JSON] {
        guard let attachments = image.attachments else { return [] }
        var there: [Referrer] = []
        if !isNew, Files.exists(layout.root.appending("index.json")) {
            there = try await LayoutSource(layout, tag: nil, digest: nil).referrers(of: image.manifest.digest)
        }
        var entries: [JSON] = []
        for attachment in try await attachments.lacking(beside: there) {
            let manifest = ImageBlob(attachment.manifest(of: image.manifest), mediaType: MediaType.manifest)
            for blob in [Attachment.emptyConfig, attachment.blob, manifest] { try await layout.insert(blob) }
            entries.append(attachment.entry(of: image.manifest))
        }
        return entries
    }
}

extension OCILayout {
    /// A layer's blob, stored here when it is not yet.
    public func file(of layer: Layer) async throws -> FilePath { try await insert(layer.blob) }

    /// Stores one blob, verified on the way, and returns its file.
    @discardableResult
    func insert(_ blob: ImageBlob, progress: @escaping ByteProgress = { _ in }) async throws -> FilePath {
        let file = path(of: blob.descriptor.digest)
        if contains(blob.descriptor) { return file }
        let content = try await blob.open()
        try await Threads.result {
            try Files.replace(file) { target in
                try blob.check(content, progress: progress) { try target.write(all: $0, to: file) }
            }
        }
        return file
    }
}
