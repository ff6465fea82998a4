public import Base
public import GitKit
public import Images
public import Models
public import Pointers
internal import Storage
internal import SystemPackage

/// A packaged model: what its image is, and the way to its bytes.
public struct BuiltPackage: Sendable {
    public let image: Image
    /// `v1.2.0`, or the commit's id where no version tag stands.
    public let version: String
    /// Where this machine keeps images and what it has to unpack.
    let layout: OCILayout

    /// A layer's blob as a file, made when it is asked for.
    func file(of layer: Layer) async throws -> FilePath { try await layout.file(of: layer) }
}

/// Turns a model at a commit into an image that serves it, from the object database and the content store alone.
///
/// Its layers are, in this order, the base's, the Python dependencies, the code, and the model by itself: a new model moves one
/// layer only. Dependencies and model bear no time, so that they are the same in every commit that has the same ones.
public struct ModelPackage: Sendable {
    /// What may be chosen for one package.
    public struct Choices: Sendable {
        /// Nil: as `package: platform:` says, else Linux on this machine's processor.
        public var platform: Platform?
        public var form = LayerForm.gzip
        /// What a base image is pinned to.
        public var base = BasePins.Rule.required
        /// The tag that it is made for.
        public var tag: String?
        /// Whether a bill of materials and provenance go with it.
        public var attests = true
        /// Brings content that is not in the store.
        public var fetch: (@Sendable ([Pointer]) async throws -> Void)?
        /// Gets the bytes that were hashed.
        public var hashed: ByteProgress = { _ in }

        public init() {}
    }

    let repository: Repository
    let places: Runner.Places
    let model: ModelEntry
    let settings: ModelSettings
    let commit: ObjectID
    let choices: Choices

    /// What goes into the image is what the commit's own `ml.yaml` says, so that a commit stays the same image for ever; where
    /// it does not speak of the model, it is what `settings` say.
    public init(
        repository: Repository, places: Runner.Places, model: ModelEntry, settings: ModelSettings, commit: ObjectID,
        choices: Choices = Choices()
    ) {
        self.repository = repository
        self.places = places
        self.model = model
        self.commit = commit
        self.choices = choices
        var settings = settings
        if let own = (try? Project.at(commit, in: repository))?.models[model.name] { settings.package = own.package }
        self.settings = settings
    }

    var version: String { model.version(at: commit).map { "\($0.version)" } ?? commit.hex }
    private var cache: FilePath { places.state.appending("cache") }

    // MARK: Where to

    /// Where the image goes: a name below `registry`, by default in the layout of the runner's state.
    ///
    /// Names and versions that registries would refuse are mapped, see ``ImageName``.
    public func destination(_ registry: String?) throws -> ImageReference {
        let tag = ImageName.tag(version)
        let single = ImageName.tag("\(ImageName.path(model.name).replacing("/", with: "."))-\(tag)")
        guard let registry else { return .layout(places.state.appending("images"), tag: single, digest: nil) }
        guard registry.hasPrefix("oci:") else {
            return try ImageReference("\(registry)/\(ImageName.path(model.name))").tagged(tag)
        }
        return try ImageReference(registry).below(repository.gitDirectory).tagged(single)
    }

    /// The same place with the model's name and version where the reference leaves them open.
    public func completed(_ reference: ImageReference) -> ImageReference {
        let tag = reference.tag ?? ImageName.tag(version)
        guard reference.digest == nil else { return reference }
        if case .archive(.docker, let file, nil, _) = reference {
            return .archive(.docker, file, name: ImageName.path(model.name), tag: tag)
        }
        return reference.tagged(tag)
    }

    /// How registries are talked to from this repository.
    public static func registryOptions(_ repository: Repository) throws -> RegistryOptions {
        let insecure = try repository.setting("ml.insecureRegistries") ?? ""
        return RegistryOptions(insecure: insecure.split(separator: ",").map(String.init))
    }

    // MARK: Building

    /// Finds out what the image is; content that has been packed before is not read again.
    public func build(say: @escaping (String) -> Void) async throws -> BuiltPackage {
        let builder = LayerBuilder(cache: cache.appending("layers"), form: choices.form, progress: choices.hashed)
        let platform = try choices.platform ?? settings.package.platform.map { try Platform($0) } ?? .host
        let base = try await BasePins(
            repository: repository, commit: commit, cache: cache.appending("base"), rule: choices.base
        ).base(settings.package.base, for: platform, say: say)
        let time = try repository.commit(commit).committer.time
        let files = CommitFiles(repository: repository, commit: commit, fetch: choices.fetch)
        let started = Timestamp.now()
        var layers: [Layer] = []
        var dependencies: Dependencies.Installed?
        if let requirements = settings.package.requirements {
            let target = try await DependencyTarget(
                platform: base?.platform ?? platform, python: settings.package.python ?? base?.pythonVersion)
            let installed = try await Dependencies(cache: cache.appending("deps"), files: files, target: target)
                .install(requirements, say: say)
            dependencies = installed
            layers.append(
                try await builder.layer(.dependencies, key: installed.key, time: Timestamp(seconds: 0)) {
                    try installed.entries()
                })
        }
        let content = try files.list(settings.path, below: "app/model")
        let digest = try files.digest(of: content)
        let code = try self.code(files, digest)
        layers.append(
            try await builder.layer(.code, key: files.key(of: code), time: time) { try await files.entries(code) })
        layers.append(
            try await builder.layer(.model, key: files.key(of: content), time: Timestamp(seconds: 0)) {
                try await files.entries(content)
            })
        let labels = labels(base, digest, time)
        var image = try ImageBuilder(base: base, platform: platform).image(
            layers,
            ImageSettings(
                created: time, entrypoint: ["python3", "/app/serve/server.py"],
                environment: ["HOST=0.0.0.0", "PORT=8080"], ports: [8080], labels: labels, annotations: labels))
        if choices.attests {
            let (manifest, platform) = (image.manifest, image.platform)
            image.attachments = { [dependencies] in
                try attachments(manifest, base, digest, dependencies, started: started, platform)
            }
        }
        for layer in layers { say("layer \(layer.kind.rawValue): \(ByteCount.format(layer.descriptor.size))") }
        return BuiltPackage(image: image, version: version, layout: OCILayout(places.state.appending("images")))
    }

    /// Sends what was built to a destination; returns the digests of what had to be moved.
    public func push(
        _ package: BuiltPackage, to destination: ImageReference, _ report: TransferReport = TransferReport()
    ) async throws -> Set<Digest> {
        try await destination.destination(Self.registryOptions(repository)).store(package.image, report)
    }

    /// The digests of what a push would have to move.
    public func lacking(_ package: BuiltPackage, at destination: ImageReference) async throws -> Set<Digest> {
        try await destination.destination(Self.registryOptions(repository)).lacking(package.image)
    }

    /// Only what follows from the commit, the model, its version and the lock of the base: the digest depends on it.
    private func labels(_ base: BaseImage?, _ digest: Digest, _ time: Timestamp) -> [String: String] {
        var labels = [
            "org.opencontainers.image.revision": commit.hex, "org.opencontainers.image.version": version,
            "org.opencontainers.image.created": time.wholeSeconds, "org.opencontainers.image.title": "\(model.name)",
            "dev.git-ml.model": "\(model.name)", "dev.git-ml.model.oid": "\(digest)",
        ]
        labels["org.opencontainers.image.source"] = settings.package.source
        if let base {
            // The place of a base on this machine says nothing elsewhere.
            if !base.reference.isLocal { labels["org.opencontainers.image.base.name"] = "\(base.reference)" }
            labels["org.opencontainers.image.base.digest"] = "\(base.manifest.digest)"
        }
        return labels
    }

    /// The server's files, the team's own, and what the server must know of the model.
    private func code(_ files: CommitFiles, _ digest: Digest) throws -> [CommitFiles.Item] {
        var items = try template(files)
        for path in settings.package.files { items += try files.list(path, below: "app/code") }
        let name = settings.path.split(separator: "/").last.map(String.init) ?? settings.path
        let description: JSON = [
            "name": .string("\(model.name)"), "oid": .string("\(digest)"), "path": .string("model/\(name)"),
            "revision": .string(commit.hex), "version": .string(version),
        ]
        return items + [CommitFiles.Item(path: "app/model.json", bytes: Array("\(description)\n".utf8))]
    }

    /// The repository's own copy of a template goes before the one that came with this program.
    private func template(_ files: CommitFiles) throws -> [CommitFiles.Item] {
        let name = settings.package.template
        let own = "templates/serving/\(name)"
        if try repository.entry(own, in: commit)?.mode == .directory {
            return try files.contents(own, below: "app/serve").filter { $0.path.hasSuffix(".py") }
        }
        let folder = places.templates.appending("serving").appending(FilePath(name).components)
        let items = try Files.list(folder).filter { $0.hasSuffix(".py") }.map {
            CommitFiles.Item(path: "app/serve/\($0)", bytes: try Files.read(folder.appending($0)) ?? [])
        }
        guard !items.isEmpty else { throw Refusal("there is no template serving/\(name)") }
        return items
    }
}
