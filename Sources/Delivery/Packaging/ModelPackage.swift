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

/// What a model is packaged as.
public enum PackageFormat: String, Sendable, CaseIterable {
    /// An image that serves it.
    case image
    /// The model alone, as an OCI artifact.
    case artifact
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
        public var format = PackageFormat.image
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

    /// Settings for a commit that says nothing of the model in its own `ml.yaml`.
    ///
    /// What goes into the image is what the commit's own `ml.yaml` says, so that a commit stays the same image for ever. Who signs
    /// is no matter of the commit: `settings` say it.
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
        if let own = (try? Project.at(commit, in: repository))?.models[model.name] {
            let sign = settings.package.sign
            settings.package = own.package
            settings.package.sign = sign
        }
        self.settings = settings
    }

    var version: String { model.version(at: commit).map { "\($0.version)" } ?? commit.hex }
    var cache: FilePath { places.state.appending("cache") }

    // MARK: Where to

    /// No version holds two underscores, so that an artifact never takes an image's tag.
    private var ownTag: String { ImageName.tag(version) + (choices.format == .artifact ? "__model" : "") }

    /// Where the image goes: a name below `registry`, by default in the layout of the runner's state.
    ///
    /// Names and versions that registries would refuse are mapped, see ``ImageName``.
    public func destination(_ registry: String?) throws -> ImageReference {
        let tag = ownTag
        let single = ImageName.tag("\(ImageName.path(model.name).replacing("/", with: "."))-\(tag)")
        guard let registry else { return .layout(places.state.appending("images"), tag: single, digest: nil) }
        guard registry.hasPrefix("oci:") else {
            return try ImageReference("\(registry)/\(ImageName.path(model.name))").tagged(tag)
        }
        return try ImageReference(registry).below(repository.gitDirectory).tagged(single)
    }

    /// The same place with the model's name and version where the reference leaves them open.
    public func completed(_ reference: ImageReference) -> ImageReference {
        let tag = reference.tag ?? ownTag
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
        let image = try await choices.format == .artifact ? artifact(say) : servingImage(say)
        try remember(image)
        return BuiltPackage(image: image, version: version, layout: OCILayout(places.state.appending("images")))
    }

    private var files: CommitFiles { CommitFiles(repository: repository, commit: commit, fetch: choices.fetch) }

    private func builder(_ form: LayerForm) -> LayerBuilder {
        LayerBuilder(cache: cache.appending("layers"), form: form, progress: choices.hashed)
    }

    private func servingImage(_ say: (String) -> Void) async throws -> Image {
        let builder = builder(choices.form)
        let platform = try choices.platform ?? settings.package.platform.map { try Platform($0) } ?? .host
        let base = try await BasePins(
            repository: repository, commit: commit, cache: cache.appending("base"), rule: choices.base
        ).base(settings.package.base, for: platform, say: say)
        let time = try repository.commit(commit).committer.time
        let files = files
        let started = Timestamp.now()
        var layers: [Layer] = []
        var dependencies: Dependencies.Installed?
        if let requirements = settings.package.requirements {
            let target = try await DependencyTarget(
                platform: base?.platform ?? platform, python: settings.package.python ?? base?.pythonVersion)
            let installed = try await Dependencies(
                cache: cache.appending("deps"), files: files, target: target, installer: PackageInstaller(repository)
            ).install(requirements, say: say)
            dependencies = installed
            layers.append(
                try await builder.layer(.dependencies, key: installed.key, time: Timestamp(seconds: 0)) {
                    try installed.entries()
                })
        }
        let content = try files.list(settings.path, below: "app/model")
        let digest = try files.digest(of: content)
        let template = try ServingTemplate(settings.package.template, files, places.templates)
        let code = try template.items + self.code(files, digest)
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
                created: time, entrypoint: template.entrypoint, command: settings.package.command,
                environment: ["HOST=0.0.0.0", "PORT=8080"], ports: [8080], labels: labels, annotations: labels))
        if choices.attests {
            image.attachments = attachments(
                image.manifest, base, digest, dependencies, started: started, image.platform)
        }
        for layer in layers { say("layer \(layer.kind.rawValue): \(ByteCount.format(layer.descriptor.size))") }
        return image
    }

    private func artifact(_ say: (String) -> Void) async throws -> Image {
        let files = files
        let started = Timestamp.now()
        let (digest, artifact) = try await bareModel(files)
        let time = try repository.commit(commit).committer.time
        var image = artifact.image(
            name: "\(model.name)", version: version, revision: commit.hex, source: settings.package.source,
            ImageSettings(created: time, entrypoint: [], annotations: labels(nil, digest, time)))
        if choices.attests {
            image.attachments = attachments(image.manifest, nil, digest, nil, started: started, nil)
        }
        let bytes = image.layers.reduce(0) { $0 + $1.descriptor.size }
        say("\(image.layers.count == 1 ? "1 layer" : "\(image.layers.count) layers"): \(ByteCount.format(bytes))")
        return image
    }

    /// The model's files under their names below its folder, and the digest that names them all.
    private func bareModel(_ files: CommitFiles) async throws -> (Digest, ModelArtifact) {
        let top = settings.path.split(separator: "/").last.map(String.init) ?? settings.path
        let content = try files.list(settings.path, below: "app/model")
        let digest = try files.digest(of: content)
        let prefix = content.count == 1 && content[0].path == "app/model/\(top)" ? "app/model/" : "app/model/\(top)/"
        let items = content.map {
            CommitFiles.Item(
                path: String($0.path.dropFirst(prefix.count)), source: $0.source, isExecutable: $0.isExecutable)
        }
        guard items.count > ModelArtifact.fileLimit else {
            return (digest, ModelArtifact(try items.map { try files.modelFile($0) }))
        }
        let layer = try await builder(.tar).layer(.model, key: files.key(of: items), time: Timestamp(seconds: 0)) {
            try await files.entries(items)
        }
        return (digest, ModelArtifact(layer, names: items.map(\.path)))
    }

    /// Sends what was built to a destination; returns the digests of what had to be moved.
    public func push(
        _ package: BuiltPackage, to destination: ImageReference, _ report: TransferReport = TransferReport()
    ) async throws -> Set<Digest> {
        let manifest = package.image.manifest
        if try await isDone(manifest, at: destination) { return [] }
        let place = try destination.destination(Self.registryOptions(repository))
        let moved = try await place.store(package.image, report)
        try await cosign(manifest.digest, destination)
        if !destination.isLocal {
            let note = note(manifest, destination)
            try Files.replace(note.file, with: "\(note.text)\n".utf8)
        }
        return moved
    }

    /// Whether a place has the image, and what goes with it, from us.
    ///
    /// The tag was written last, when everything was there: what we know that we brought needs one question only.
    func isDone(_ manifest: Descriptor, at destination: ImageReference) async throws -> Bool {
        guard !destination.isLocal, Files.exists(note(manifest, destination).file) else { return false }
        return try await destination.destination(Self.registryOptions(repository)).holds(manifest)
    }

    /// That an image was brought to a place.
    private func note(_ manifest: Descriptor, _ destination: ImageReference) -> (file: FilePath, text: String) {
        let text = "\(destination) \(manifest.digest) \(attachedTypes) \(signer ?? "")"
        return (cache.appending("pushed").appending(Digest.of(text).hex), text)
    }

    /// The program that signs, and its key.
    private var signer: String? { settings.package.sign.map { "\($0.program) \($0.key ?? "")" } }

    /// Has cosign sign what a registry holds now, when it is the one to sign.
    ///
    /// It brings its signature there itself, beside the image under the tag `sha256-<digest>.sig`; it knows no other places.
    private func cosign(_ digest: Digest, _ destination: ImageReference) async throws {
        guard let sign = settings.package.sign, sign.program == .cosign, let key = sign.key, choices.attests,
            case .registry(let name, _, _) = destination
        else { return }
        guard let program = ChildProcess.find("cosign") else { throw ProcessFailure.notFound(program: "cosign") }
        try await ChildProcess.check(program.string, ["sign", "--yes", "--key", key, "\(name)@\(digest)"])
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

    /// The team's own files, and what the server must know of the model.
    private func code(_ files: CommitFiles, _ digest: Digest) throws -> [CommitFiles.Item] {
        var items: [CommitFiles.Item] = []
        for path in settings.package.files { items += try files.list(path, below: "app/code") }
        let name = settings.path.split(separator: "/").last.map(String.init) ?? settings.path
        let description: JSON = [
            "name": .string("\(model.name)"), "oid": .string("\(digest)"), "path": .string("model/\(name)"),
            "revision": .string(commit.hex), "version": .string(version),
        ]
        return items + [CommitFiles.Item(path: "app/model.json", bytes: Array("\(description)\n".utf8))]
    }
}
