internal import Base
internal import GitKit
internal import Images
internal import Models
internal import Pointers
internal import Storage
internal import SystemPackage

/// A packaged model.
struct BuiltPackage {
    let image: Image
    let layout: OCILayout
    /// `oci:DIR:TAG`
    let reference: String
    let version: String
}

/// Turns a model at a commit into an image that serves it, from the object database and the content store alone.
struct ModelPackage {
    let repository: Repository
    let places: Runner.Places
    let model: ModelEntry
    let settings: ModelSettings
    let commit: ObjectID
    let registry: String?

    func build(say: (String) -> Void) async throws -> BuiltPackage {
        guard settings.package.base == "scratch" else {
            throw ImageFailure.unsupported(reference: "base: \(settings.package.base)")
        }
        let layout = OCILayout(try layoutFolder())
        let builder = ImageBuilder(layout: layout, cache: places.state.appending("cache").appending("layers"))
        let time = try repository.commit(commit).committer.time
        let version = model.version(at: commit).map { "\($0.version)" } ?? commit.hex
        var layers: [Layer] = []
        if let requirements = settings.package.requirements {
            let wheels = try await Dependencies(cache: places.state.appending("cache").appending("deps"))
                .install(file(requirements), say: say)
            layers.append(
                try builder.layer(.dependencies, wheels.entries, key: wheels.key, time: Timestamp(seconds: 0)))
        }
        let (modelEntries, digest) = try self.modelEntries()
        let code = try codeEntries(version: version, digest: digest)
        layers.append(try builder.layer(.code, code, key: Self.key(of: code), time: time))
        layers.append(try builder.layer(.model, modelEntries, key: digest, time: Timestamp(seconds: 0)))

        let labels = [
            "org.opencontainers.image.revision": commit.hex, "org.opencontainers.image.version": version,
            "org.opencontainers.image.created": time.wholeSeconds, "org.opencontainers.image.title": "\(model.name)",
            "dev.git-ml.model": "\(model.name)", "dev.git-ml.model.oid": "\(digest)",
        ]
        let name = Self.tag("\(model.name)-\(version)")
        let image = try builder.image(
            layers,
            ImageSettings(
                created: time, entrypoint: ["python3", "/app/serve/server.py"],
                environment: ["HOST=0.0.0.0", "PORT=8080"],
                ports: [8080], labels: labels, annotations: labels),
            as: name)
        for layer in layers { say("  layer \(layer.kind.rawValue): \(ByteCount.format(layer.descriptor.size))") }
        return BuiltPackage(image: image, layout: layout, reference: "oci:\(layout.root):\(name)", version: version)
    }

    private func layoutFolder() throws -> FilePath {
        guard let registry else { return places.state.appending("images") }
        guard registry.hasPrefix("oci:") else { throw ImageFailure.unsupported(reference: registry) }
        let path = FilePath(String(registry.dropFirst(4)))
        return path.isAbsolute ? path : repository.gitDirectory.appending(path.components)
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
                            "\(folder)/\(name)", .file(store.path(of: pointer.digest)), isExecutable: isExecutable),
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

    private func codeEntries(version: String, digest: Digest) throws -> [LayerEntry] {
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
                    case .file(let path): try Digest.of(file: path).digest
                    }
                return "\(digest) \(entry.isExecutable) \(entry.path)\n"
            }.sorted().joined())
    }

    /// A name as OCI tags allow it: what they do not allow becomes `_` or `-`.
    static func tag(_ text: String) -> String {
        String(text.map { $0 == "+" ? "_" : ":/=".contains($0) ? "-" : $0 }.prefix(128))
    }
}
