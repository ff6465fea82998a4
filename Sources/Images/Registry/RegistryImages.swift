internal import Base
internal import Storage
internal import SystemPackage
internal import Transport

/// The images of one repository of a registry (OCI distribution specification 1.1).
struct RegistryImages {
    let name: RepositoryName
    let options: RegistryOptions

    init(_ name: RepositoryName, _ options: RegistryOptions) {
        self.name = name
        self.options = options
    }

    func source(tag: String?, digest: Digest?) -> RegistrySource {
        RegistrySource(session: RegistrySession(name, actions: "pull", options), tag: tag ?? "latest", digest: digest)
    }

    func destination(tag: String) -> RegistryDestination {
        RegistryDestination(name: name, tag: tag, options: options)
    }
}

/// Reads images of a repository.
struct RegistrySource: ImageSource {
    let session: RegistrySession
    let tag: String
    let digest: Digest?

    var address: String { "\(session.name)" }

    func manifest(_ digest: Digest?) async throws -> StoredManifest {
        let wanted = digest ?? self.digest
        let path = "manifests/" + (wanted?.description ?? tag)
        let place = "\(session.name)" + (wanted.map { "@\($0)" } ?? ":\(tag)")
        let answer = try await session.options.retry.run { _ in
            var details = RegistrySession.Details(headers: ["Accept": MediaType.acceptManifests])
            details.sink = .memory(limit: StoredManifest.limit)
            details.follows = true
            let answer = try await session.send("GET", path, details)
            if answer.status == 200 || answer.status == 404 { return answer }
            throw session.failure("GET", path, answer)
        }
        guard answer.status == 200 else { throw ImageFailure.notFound(reference: place, hints: []) }
        let type = answer.headers["content-type"].map { String($0.prefix { $0 != ";" }).trimmingTrailingSpace }
        let manifest = try StoredManifest(answer.body, type: type, digest: wanted, place: place)
        if let promised = answer.headers["docker-content-digest"], promised != "\(manifest.descriptor.digest)" {
            throw ImageFailure.malformed(
                place: place, reason: "the registry calls it \(promised), but it is \(manifest.descriptor.digest)")
        }
        return manifest
    }

    func referrers(of image: Digest) async throws -> [Referrer] {
        try await RegistryReferrers(session: session).list(image)
    }

    func fetch(_ blob: Descriptor, to file: FilePath, progress: @escaping ByteProgress) async throws {
        let path = "blobs/\(blob.digest)"
        try await session.options.retry.run { gotFurther in
            let before = Files.status(file)?.size ?? 0
            var details = RegistrySession.Details()
            details.sink = .file(file, size: blob.size)
            details.follows = true
            details.isLong = true
            details.progress = progress
            do {
                let answer = try await session.send("GET", path, details)
                guard answer.isSuccess else {
                    // What was there already is more than the registry has: begin anew.
                    if answer.status == 416 { Files.remove(file) }
                    throw session.failure("GET", path, answer)
                }
            } catch {
                if (Files.status(file)?.size ?? 0) > before { gotFurther() }
                throw error
            }
        }
        let found = try await Threads.result { try Digest.of(file: file) }
        guard found == (blob.digest, blob.size) else {
            Files.remove(file)
            throw ImageFailure.malformed(
                place: "\(session.name)@\(blob.digest)",
                reason: "the registry sent other bytes: they have \(found.digest)")
        }
    }
}
