internal import Base
public import GitKit
public import Images
internal import Models
internal import SystemPackage

/// One thing that was looked at in an image.
public struct ImageCheck: Sendable, Equatable {
    public enum Result: String, Sendable {
        case ok
        case failed
        /// There is nothing to look at.
        case absent
    }

    public let name: String
    public let result: Result
    public let detail: String
    /// One word for scripts, where a signature does not count.
    ///
    /// `unsigned`, `unknown-key`, `expired-key`, `revoked-key`, `tampered`, and those of `SignatureFailure`.
    public var code: String?
}

/// Tells whether an image is what it says: whole, made from this repository, and described rightly by its provenance.
public struct ImageVerification: Sendable {
    private let repository: Repository
    private let options: RegistryOptions

    public init(_ repository: Repository, _ options: RegistryOptions) {
        self.repository = repository
        self.options = options
    }

    /// Looks at everything, one after the other; what failed keeps nothing else from being looked at.
    ///
    /// `rebuild` makes the image of a model at a commit anew, for a platform.
    public func check(
        _ reference: ImageReference,
        rebuild: (_ model: String, ObjectID, Platform?, LayerForm, PackageFormat) async throws -> Descriptor
    ) async throws -> [ImageCheck] {
        let image = try await ImageDescription(reference, platform: .host, options)
        let source = try reference.source(options)
        var checks = [
            ImageCheck(name: "manifest and config", result: .ok, detail: "\(image.manifest.digest)"),
            await check("layers") { try await layers(image, source) },
        ]
        guard let model = image.labels["dev.git-ml.model"],
            let revision = image.labels["org.opencontainers.image.revision"].flatMap({ ObjectID($0) })
        else {
            return checks + [ImageCheck(name: "labels", result: .absent, detail: "it was not made by git-ml")]
        }
        checks.append(await check("commit") { try commit(revision, image) })
        checks.append(
            await check("rebuilt") {
                let form = image.layers.last?.mediaType.hasSuffix("gzip") == false ? LayerForm.tar : .gzip
                let format = image.artifactType == ModelArtifact.type ? PackageFormat.artifact : .image
                let made = try await rebuild(model, revision, image.platform, form, format)
                guard made == image.manifest else { throw Mismatch("this repository gives \(made.digest)") }
                return "the commit gives the same image, byte for byte"
            })
        let found = try await source.referrers(of: image.manifest.digest)
        let signature = try await ImageSignature(
            repository: repository, image: image, source: source, referrers: found
        ).check(model: ModelName(model))
        checks.append(signature.check)
        let documents = found.filter { $0.type == Provenance.type }
        if let statement = signature.statement {
            // What was signed counts; what else stands there anybody who may push could have written.
            checks.append(await check("provenance") { try provenance(statement, image, revision) })
        } else if documents.isEmpty {
            checks.append(ImageCheck(name: "provenance", result: .absent, detail: "none stands beside it"))
        } else {
            for referrer in documents {
                checks.append(
                    await check("provenance") { try provenance(await source.document(referrer), image, revision) })
            }
        }
        return checks
    }

    private func check(_ name: String, _ body: () async throws -> String) async -> ImageCheck {
        do {
            return ImageCheck(name: name, result: .ok, detail: try await body())
        } catch {
            return ImageCheck(name: name, result: .failed, detail: "\(error)")
        }
    }

    private func layers(_ image: ImageDescription, _ source: any ImageSource) async throws -> String {
        let folder = repository.mlDirectory.appending("verify-\(UUIDv7())")
        defer { try? Files.removeTree(folder) }
        try Files.makeDirectory(folder)
        for layer in image.layers {
            let file = folder.appending(layer.digest.hex)
            try await source.fetch(layer, to: file) { _ in }
            Files.remove(file)
        }
        return "\(image.layers.count), all bytes match their digests"
    }

    private func commit(_ revision: ObjectID, _ image: ImageDescription) throws -> String {
        let time = try repository.commit(revision).committer.time.wholeSeconds
        guard image.labels["org.opencontainers.image.created"] == time else {
            throw Mismatch("\(revision.short) is of \(time), the image says another time")
        }
        guard let version = image.labels["org.opencontainers.image.version"], version != revision.hex else {
            return "\(revision.short), no version"
        }
        let tags = Registry(try repository.tags(), allowLight: true)
        let model = ModelName(image.labels["dev.git-ml.model"] ?? "").flatMap { tags.models[$0] }
        guard let found = model?.versions.first(where: { "\($0.version)" == version }) else {
            throw Mismatch("there is no tag of the version \(version) here")
        }
        guard found.commit == revision else {
            throw Mismatch("the tag \(found.tag) is on \(found.commit.short), the image is of \(revision.short)")
        }
        return "\(revision.short), \(found.tag)"
    }

    private func provenance(_ bytes: [UInt8], _ image: ImageDescription, _ revision: ObjectID) throws -> String {
        let json = try JSON.parse(String(decoding: bytes, as: UTF8.self))
        guard Self.subjects(json) == [image.manifest.digest.hex] else { throw Mismatch("it speaks of another image") }
        let build = json["predicate"]?["buildDefinition"]
        guard build?["externalParameters"]?["commit"]?.string == revision.hex else {
            throw Mismatch("it names another commit than the image's labels")
        }
        var detail = "by \(json["predicate"]?["runDetails"]?["builder"]?["id"]?.string ?? "nobody")"
        if let name = build?["externalParameters"]?["tag"]?.string {
            let id = build?["resolvedDependencies"]?.array?.compactMap { $0["digest"]?["gitTag"]?.string }.first
            guard let tag = try repository.tags().first(where: { $0.name == name }) else {
                throw Mismatch("the tag \(name) is not here")
            }
            guard tag.id.hex == id, tag.target == revision else { throw Mismatch("the tag \(name) was moved since") }
            detail += ", for \(name)"
        }
        return detail
    }

    /// What an in-toto statement speaks of.
    static func subjects(_ statement: JSON) -> [String] {
        statement["subject"]?.array?.compactMap { $0["digest"]?["sha256"]?.string } ?? []
    }
}
