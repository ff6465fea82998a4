public import Base
public import SystemPackage

/// An image that others are laid over: what is needed of it without its layers' bytes.
public struct BaseImage: Sendable {
    public let reference: ImageReference
    /// What the reference named: an index, where the base is made for several platforms.
    public let index: Digest?
    public let manifest: Descriptor
    public let platform: Platform
    public let layers: [Layer]
    let config: JSON

    /// The environment that the base itself sets.
    public var variables: [String: String] {
        let pairs = (config["config"]?["Env"]?.array ?? []).compactMap(\.string).map { text in
            (String(text.prefix { $0 != "=" }), String(text.drop { $0 != "=" }.dropFirst()))
        }
        return Dictionary(pairs) { $1 }
    }

    /// One entry for each layer at least, as validators want it.
    var history: [JSON] {
        let history = config["history"]?.array ?? []
        let count = history.count { $0["empty_layer"]?.bool != true }
        if count == layers.count { return history }
        return layers.map { _ in ["created_by": .string("\(reference)")] }
    }
}

/// Finds base images, and brings of them what is needed.
///
/// Manifests and configs are small and kept in a folder under their digests: a pinned base needs no network unless its layers
/// have to go somewhere that lacks them.
public struct BaseImages: Sendable {
    static let configLimit: Int64 = 8 << 20

    private let store: OCILayout
    private let options: RegistryOptions

    /// `cache` is a folder that can be deleted at any time.
    public init(cache: FilePath, options: RegistryOptions) {
        store = OCILayout(cache)
        self.options = options
    }

    /// The base for a platform: the one that a lock names, or what the place has now.
    public func resolve(_ reference: ImageReference, for platform: Platform, pin: BasePin?) async throws -> BaseImage {
        let place = Place(reference: reference, source: try reference.source(options), store: store)
        if let pin { return try await image(place, try await place.manifest(pin.manifest), index: pin.index, platform) }
        let found = try await place.manifest(reference.digest)
        guard found.isIndex else { return try await image(place, found, index: nil, platform) }
        let choice = try found.choose(platform, reference)
        let manifest = try await place.manifest(choice.digest)
        guard manifest.descriptor.size == choice.size else {
            throw ImageFailure.malformed(
                place: "\(reference)",
                reason: "its index gives a size of \(choice.size) to a manifest of \(manifest.descriptor.size) bytes")
        }
        guard !manifest.isIndex else {
            throw ImageFailure.unsupported("\(reference) is an index of indexes, which cannot be a base")
        }
        return try await image(place, manifest, index: found.descriptor.digest, platform)
    }

    private func image(
        _ place: Place, _ manifest: StoredManifest, index: Digest?, _ wanted: Platform
    ) async throws -> BaseImage {
        guard !manifest.isIndex else {
            throw ImageFailure.malformed(place: manifest.place, reason: "it is an index where a manifest should be")
        }
        let descriptor = try manifest.config()
        guard descriptor.size <= Self.configLimit else {
            throw ImageFailure.malformed(place: manifest.place, reason: "its config has \(descriptor.size) bytes")
        }
        let file = try await place.blob(descriptor)
        guard let text = try Files.readText(file), let config = try? JSON.parse(text), let platform = Platform(config)
        else { throw ImageFailure.malformed(place: manifest.place, reason: "its config cannot be read") }
        guard wanted.distance(of: platform) != nil else {
            throw ImageFailure.noPlatform(
                reference: "\(place.reference)", wanted: "\(wanted)", there: ["\(platform)"])
        }
        return BaseImage(
            reference: place.reference, index: index, manifest: manifest.descriptor, platform: platform,
            layers: try layers(place, manifest, config), config: config)
    }

    private func layers(_ place: Place, _ manifest: StoredManifest, _ config: JSON) throws -> [Layer] {
        let descriptors = try manifest.layers()
        let diffs = (config["rootfs"]?["diff_ids"]?.array ?? []).compactMap { $0.string.flatMap { Digest($0) } }
        guard diffs.count == descriptors.count else {
            throw ImageFailure.malformed(
                place: manifest.place,
                reason: "its config speaks of \(diffs.count) layers, its manifest of \(descriptors.count)")
        }
        return try zip(descriptors, diffs).map { descriptor, diff in
            guard let type = MediaType.ociLayer(descriptor.mediaType) else {
                throw ImageFailure.unsupported(
                    "\(manifest.place) has a layer of the kind \(descriptor.mediaType), which cannot be used")
            }
            let layer = Descriptor(mediaType: type, digest: descriptor.digest, size: descriptor.size)
            return Layer(
                kind: .base, diffID: diff,
                blob: ImageBlob(layer, origin: place.repository) { .file(try await place.blob(layer)) })
        }
    }

    /// One base's place, with what was brought from there before.
    private struct Place: Sendable {
        let reference: ImageReference
        let source: any ImageSource
        let store: OCILayout

        var repository: RepositoryName? { if case .registry(let name, _, _) = reference { name } else { nil } }

        func manifest(_ digest: Digest?) async throws -> StoredManifest {
            if let digest, let bytes = try Files.read(store.path(of: digest)),
                let kept = try? StoredManifest(bytes, type: nil, digest: digest, place: "\(reference)")
            {
                return kept
            }
            let found = try await source.manifest(digest)
            try Files.replace(store.path(of: found.descriptor.digest), with: found.bytes)
            return found
        }

        /// The file of a blob; layers of this machine's own layouts are read where they lie.
        func blob(_ descriptor: Descriptor) async throws -> FilePath {
            if case .layout(let folder, _, _) = reference, OCILayout(folder).contains(descriptor) {
                return OCILayout(folder).path(of: descriptor.digest)
            }
            let file = store.path(of: descriptor.digest)
            if store.contains(descriptor) { return file }
            try Files.makeDirectory(file.removingLastComponent())
            let incoming = store.root.appending("incoming-\(UUIDv7())")
            do {
                try await source.fetch(descriptor, to: incoming) { _ in }
                try Files.rename(incoming, to: file)
            } catch {
                Files.remove(incoming)
                throw error
            }
            return file
        }
    }
}
