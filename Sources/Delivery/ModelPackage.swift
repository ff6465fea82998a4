public import Base
public import GitKit
public import Images
public import Models
internal import Pointers
internal import Storage
internal import SystemPackage

/// A packaged model, in a layout on this machine.
public struct BuiltPackage: Sendable {
    public let image: Image
    let layout: OCILayout
    /// `v1.2.0`, or the commit's id where no version tag stands.
    public let version: String
}

/// Turns a model at a commit into an image that serves it, from the object database and the content store alone.
public struct ModelPackage {
    let repository: Repository
    let places: Runner.Places
    let model: ModelEntry
    let settings: ModelSettings
    let commit: ObjectID

    public init(
        repository: Repository, places: Runner.Places, model: ModelEntry, settings: ModelSettings, commit: ObjectID
    ) {
        self.repository = repository
        self.places = places
        self.model = model
        self.settings = settings
        self.commit = commit
    }

    private var version: String { model.version(at: commit).map { "\($0.version)" } ?? commit.hex }

    /// Where the image goes: a name below `registry`, by default in the layout of the runner's state.
    public func destination(_ registry: String?) throws -> ImageReference {
        let name = "\(model.name)".replacing(":", with: "..").replacing("/", with: ".")
        let tag = version.replacing("+", with: "_")
        guard let registry else { return .layout(places.state.appending("images"), tag: "\(name)-\(tag)") }
        guard registry.hasPrefix("oci:") else {
            return try ImageReference("\(registry)/\("\(model.name)".replacing(":", with: "/"))").tagged(tag)
        }
        let path = FilePath(String(registry.dropFirst(4)))
        let folder = path.isAbsolute ? path : repository.gitDirectory.appending(path.components)
        return .layout(folder, tag: "\(name)-\(tag)")
    }

    /// Builds the image: into the destination itself when that is a layout, else into the runner's own layout.
    public func build(for destination: ImageReference, say: (String) -> Void) async throws -> BuiltPackage {
        guard settings.package.base == "scratch" else {
            throw ImageFailure.unsupported(reference: "base: \(settings.package.base)")
        }
        var layout = OCILayout(places.state.appending("images"))
        if case .layout(let folder, _) = destination { layout = OCILayout(folder) }
        let builder = ImageBuilder(layout: layout, cache: places.state.appending("cache").appending("layers"))
        let time = try repository.commit(commit).committer.time
        var layers: [Layer] = []
        if let requirements = settings.package.requirements {
            let wheels = try await Dependencies(cache: places.state.appending("cache").appending("deps"))
                .install(file(requirements), say: say)
            layers.append(
                try builder.layer(.dependencies, wheels.entries, key: wheels.key, time: Timestamp(seconds: 0)))
        }
        let (modelEntries, digest) = try self.modelEntries()
        let code = try codeEntries(digest: digest)
        layers.append(try builder.layer(.code, code, key: Self.key(of: code), time: time))
        layers.append(try builder.layer(.model, modelEntries, key: digest, time: Timestamp(seconds: 0)))

        let labels = [
            "org.opencontainers.image.revision": commit.hex, "org.opencontainers.image.version": version,
            "org.opencontainers.image.created": time.wholeSeconds, "org.opencontainers.image.title": "\(model.name)",
            "dev.git-ml.model": "\(model.name)", "dev.git-ml.model.oid": "\(digest)",
        ]
        let image = try builder.image(
            layers,
            ImageSettings(
                created: time, entrypoint: ["python3", "/app/serve/server.py"],
                environment: ["HOST=0.0.0.0", "PORT=8080"],
                ports: [8080], labels: labels, annotations: labels),
            as: destination.tag ?? "latest")
        for layer in layers { say("layer \(layer.kind.rawValue): \(ByteCount.format(layer.descriptor.size))") }
        return BuiltPackage(image: image, layout: layout, version: version)
    }

    /// Sends what was built to its destination; returns the digests of what went over the wire.
    public func push(_ package: BuiltPackage, to destination: ImageReference) async throws -> Set<Digest> {
        guard case .registry(let host, let repository, let tag) = destination else { return [] }
        return try await RegistryClient(host: host, repository: repository)
            .push(package.image, from: package.layout, tag: tag ?? "latest")
    }

    private func file(_ path: String) throws -> [UInt8] {
        guard let bytes = try repository.file(path, in: commit) else {
            throw Refusal("\(path) is not in the commit \(commit.short)")
        }
        return bytes
    }

    /// The files at a path of the commit, pointers replaced by the content they name.
    private func entries(at path: String, to folder: String) throws -> [(entry: LayerEntry, digest: Digest)] {
        guard let top = try repository.entry(path, in: commit) else {
            throw Refusal("\(path) is not in the commit \(commit.short)")
        }
        var found: [(LayerEntry, Digest)] = []
        func add(_ name: String, _ entry: TreeEntry) throws {
            guard entry.mode == .file || entry.mode == .executable else {
                throw ImageFailure.unusableFile(path: "\(path)/\(name)", reason: "it is a link or a submodule")
            }
            let blob = try repository.blob(entry.id)
            let isExecutable = entry.mode == .executable
            if let pointer = try? Pointer.parse(blob, path: name), pointer.size > 0 {
                let store = repository.contentStore
                guard store.contains(pointer.digest, size: pointer.size) else {
                    throw StorageFailure.missing(pointer.digest, remote: store.root.string)
                }
                found.append(
                    (
                        LayerEntry(
                            "\(folder)/\(name)", .content(store.path(of: pointer.digest), pointer.digest),
                            isExecutable: isExecutable),
                        pointer.digest
                    ))
            } else {
                found.append((LayerEntry("\(folder)/\(name)", .bytes(blob), isExecutable: isExecutable), .of(blob)))
            }
        }
        if top.mode == .directory {
            let name = path.split(separator: "/").last.map(String.init) ?? path
            try repository.walk(top.id) { try add("\(name)/\($0)", $1) }
        } else {
            try add(top.name, top)
        }
        return found
    }

    private func modelEntries() throws -> (entries: [LayerEntry], digest: Digest) {
        let found = try entries(at: settings.path, to: "app/model")
        if found.count == 1 { return (found.map(\.entry), found[0].digest) }
        return (found.map(\.entry), .of(found.map { "\($0.digest) \($0.entry.path)\n" }.sorted().joined()))
    }

    private func codeEntries(digest: Digest) throws -> [LayerEntry] {
        let template = places.templates.appending("serving").appending(FilePath(settings.package.template).components)
        var entries = try Files.list(template).filter { $0.hasSuffix(".py") }.map { name in
            LayerEntry("app/serve/\(name)", .bytes(try Files.read(template.appending(name)) ?? []))
        }
        guard !entries.isEmpty else { throw Refusal("there is no template serving/\(settings.package.template)") }
        for path in settings.package.files { entries += try self.entries(at: path, to: "app/code").map(\.entry) }
        let name = settings.path.split(separator: "/").last.map(String.init) ?? settings.path
        let description: JSON = [
            "name": .string("\(model.name)"), "oid": .string("\(digest)"), "path": .string("model/\(name)"),
            "revision": .string(commit.hex), "version": .string(version),
        ]
        entries.append(LayerEntry("app/model.json", .bytes(Array("\(description)\n".utf8))))
        return entries
    }

    private static func key(of entries: [LayerEntry]) throws -> Digest {
        .of(
            try entries.map { entry in
                let digest: Digest =
                    switch entry.source {
                    case .bytes(let bytes): .of(bytes)
                    case .content(_, let digest): digest
                    case .file(let path): try Digest.of(file: path).digest
                    }
                return "\(digest) \(entry.isExecutable) \(entry.path)\n"
            }.sorted().joined())
    }
}
