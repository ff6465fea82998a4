internal import Base
internal import Storage
internal import Synchronization
internal import SystemPackage
internal import Transport

/// An image as a place lists it.
public struct ListedImage: Sendable {
    public let tag: String
    public let manifest: Descriptor
    public let layers: [Descriptor]
    /// What its manifest says of itself; for an image of ours, what its labels say.
    public let annotations: [String: String]

    /// All its layers, in bytes.
    public var size: Int64 { layers.reduce(0) { $0 + $1.size } }
}

/// Lists the images of a repository of a registry, or of a layout.
public struct ImageCatalog: Sendable {
    let reference: ImageReference
    let options: RegistryOptions

    public init(_ reference: ImageReference, _ options: RegistryOptions) {
        self.reference = reference
        self.options = options
    }

    /// The images by tag, several asked for at once; bare models are among them, documents beside images and indexes are not.
    public func images() async throws -> [ListedImage] {
        let tags = try await tags().filter { !$0.hasPrefix("sha256-") }
        let found = Found()
        try await tags.forEach(width: 8) { tag in
            let manifest: StoredManifest
            do {
                manifest = try await reference.tagged(tag).source(options).manifest(nil)
            } catch let failure as ImageFailure where failure.kind == .notFound { return }
            guard !manifest.isIndex, [nil, ModelArtifact.type].contains(manifest.json["artifactType"]?.string) else {
                return
            }
            found.add(
                ListedImage(
                    tag: tag, manifest: manifest.descriptor, layers: try manifest.layers(),
                    annotations: manifest.json["annotations"]?.texts ?? [:]))
        }
        return found.all.sorted { $0.tag.utf8.lexicographicallyPrecedes($1.tag.utf8) }
    }

    private final class Found: Sendable {
        private let list = Mutex<[ListedImage]>([])
        var all: [ListedImage] { list.withLock { $0 } }
        func add(_ image: ListedImage) { list.withLock { $0.append(image) } }
    }

    private func tags() async throws -> [String] {
        switch reference {
        case .registry(let name, _, _):
            return try await registryTags(RegistrySession(name, actions: "pull", options))
        case .layout(let folder, _, _):
            let text = try Files.readText(folder.appending("index.json"))
            let index = try LayoutIndex(text, place: "\(reference)")
            return (index.json["manifests"]?.array ?? []).compactMap { $0["annotations"]?[OCILayout.nameKey]?.string }
        case .archive:
            throw ImageFailure.unsupported("\(reference) is one image, and no list of them")
        }
    }

    /// Page by page, as long as the registry names a next one.
    private func registryTags(_ session: RegistrySession) async throws -> [String] {
        var tags: [String] = []
        var place = "tags/list?n=1000"
        for _ in 0..<1000 {
            let here = place
            let answer = try await options.retry.run { _ in
                let answer = try await session.send("GET", here)
                if answer.status == 200 || answer.status == 404 { return answer }
                throw session.failure("GET", here, answer)
            }
            guard answer.status == 200 else { throw ImageFailure.notFound(reference: "\(session.name)") }
            guard let json = try? JSON.parse(answer.text), json.members != nil else {
                throw RemoteFailure(
                    .unexpectedAnswer, address: "GET \(session.name)/tags/list", detail: "the answer is no list of tags"
                )
            }
            tags += json["tags"]?.array?.compactMap(\.string) ?? []
            guard let link = answer.headers["link"], link.contains("rel=\"next\""), link.hasPrefix("<"),
                let next = try await session.resolve(String(link.dropFirst().prefix { $0 != ">" }), against: here)
            else { return tags }
            place = next
        }
        return tags
    }
}
