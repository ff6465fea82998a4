internal import Base
internal import GitKit
public import Images
internal import Models
internal import SystemPackage

/// What there is to tell of a package: what its image is called, and of what it consists.
public struct PackageSummary: Sendable, Equatable {
    public struct Part: Sendable, Equatable {
        public let kind: Layer.Kind
        public let descriptor: Descriptor
    }

    public let manifest: Descriptor
    /// Nil for an artifact, which is for all.
    public let platform: String?
    /// All its bytes.
    public let size: Int64
    public let layers: [Part]

    public init(_ image: Image) {
        manifest = image.manifest
        platform = image.platform.map { "\($0)" }
        size = image.size
        layers = image.layers.map { Part(kind: $0.kind, descriptor: $0.descriptor) }
    }

    fileprivate init?(_ json: JSON) {
        guard let manifest = try? json["manifest"].map({ try Descriptor($0, place: "") }), let size = json["size"]?.int,
            let layers = json["layers"]?.array
        else { return nil }
        let parts = layers.compactMap { layer -> Part? in
            guard let kind = layer["kind"]?.string.flatMap({ Layer.Kind(rawValue: $0) }),
                let descriptor = try? layer["layer"].map({ try Descriptor($0, place: "") })
            else { return nil }
            return Part(kind: kind, descriptor: descriptor)
        }
        guard parts.count == layers.count else { return nil }
        self.manifest = manifest
        self.size = size
        self.layers = parts
        platform = json["platform"]?.string
    }

    fileprivate var json: JSON {
        [
            "manifest": manifest.json, "size": .int(size), "platform": .optional(platform),
            "layers": .array(layers.map { ["kind": .string($0.kind.rawValue), "layer": $0.descriptor.json] }),
        ]
    }
}

/// A package's summary in a file named by all that the image follows from.
///
/// It lies in the cache beside what it was made of, and may be deleted at any time: then the same is packed again. One that
/// cannot be read is as good as none.
struct PackageMemory {
    let file: FilePath

    func read() -> PackageSummary? {
        guard let text = try? Files.readText(file), let json = try? JSON.parse(text) else { return nil }
        return PackageSummary(json)
    }

    func write(_ summary: PackageSummary) throws {
        if read() != summary { try Files.replace(file, with: "\(summary.json)\n".utf8) }
    }
}

extension ModelPackage {
    /// What the package comes out as, where the same was packed before and all of these places have it; nil when it has to be
    /// packed to know.
    ///
    /// Each registry is asked one question. Other places are not taken on trust: their files are looked at by a push.
    public func known(at destinations: [ImageReference]) async throws -> PackageSummary? {
        guard choices.base == .written || choices.base == .required, let summary = try memory().read() else {
            return nil
        }
        for destination in destinations {
            guard try await isDone(summary.manifest, at: destination) else { return nil }
        }
        return summary
    }

    /// Keeps what came of it for the next time.
    func remember(_ image: Image) throws {
        // What was only looked up is pinned to nothing yet.
        if choices.base != .looked { try memory().write(PackageSummary(image)) }
    }

    private func memory() throws -> PackageMemory {
        let package = settings.package
        let lock: [UInt8]?
        if let workTree = repository.workTree {
            lock = try Files.read(workTree.appending(BaseLock.fileName))
        } else {
            lock = try repository.head().flatMap { try repository.file(BaseLock.fileName, in: $0) }
        }
        // The commit says all but this: which program packs, for what, and what stands beside the commit.
        var facts: [JSON] = [
            .string("git-ml package 1"), .int(Int64(LayerBuilder.revision)), .string(commit.hex),
            .string("\(model.name)"), .string(version), .string(settings.path), .string(choices.format.rawValue),
            .string(choices.form.rawValue), .optional(choices.platform.map { "\($0)" }), .string("\(Platform.host)"),
            .string(package.base), .string(package.template), .array(package.command.map { .string($0) }),
            .array(package.files.map { .string($0) }), .optional(package.requirements), .optional(package.platform),
            .optional(package.python), .optional(package.source), .optional(lock.map { "\(Digest.of($0))" }),
        ]
        if choices.format == .image {
            let files = CommitFiles(repository: repository, commit: commit)
            let template = try ServingTemplate(package.template, files, places.templates)
            facts += [.string("\(files.key(of: template.items))"), .array(template.entrypoint.map { .string($0) })]
        }
        if package.requirements != nil {
            // Their Python is the one of this machine where nothing else says it.
            facts.append(.optional(DependencyTarget.installedProgram?.string))
        }
        return PackageMemory(
            file: cache.appending("packages").appending(Digest.of(JSON.array(facts).canonical).hex + ".json"))
    }
}
