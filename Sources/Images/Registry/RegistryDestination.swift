internal import Base
internal import Storage
internal import Synchronization
internal import Transport

/// Puts images into a repository of a registry.
///
/// Blobs go first, several at once; then the manifest under its digest; its tag last of all, so that whoever reads the tag never
/// finds a part of an image.
struct RegistryDestination: ImageDestination {
    let name: RepositoryName
    let tag: String
    let options: RegistryOptions

    private func session(_ image: Image) -> RegistrySession {
        RegistrySession(name, actions: "pull,push", mounts: image.blobs.compactMap(\.origin), options)
    }

    func holds(_ manifest: Descriptor) async throws -> Bool {
        let details = RegistrySession.Details(headers: ["Accept": MediaType.acceptManifests])
        let answer = try await RegistrySession(name, actions: "pull", options).send(
            "HEAD", "manifests/\(tag)", details)
        return answer.status == 200 && answer.headers["docker-content-digest"] == "\(manifest.digest)"
    }

    func lacking(_ image: Image) async throws -> Set<Digest> {
        try await lacking(image.blobs, session(image))
    }

    private func lacking(_ blobs: [ImageBlob], _ session: RegistrySession) async throws -> Set<Digest> {
        try await withThrowingTaskGroup(of: Digest?.self) { group in
            for blob in blobs {
                let digest = blob.descriptor.digest
                group.addTask { try await BlobUpload(blob, session) { _ in }.isThere() ? nil : digest }
            }
            return try await group.reduce(into: []) { if let digest = $1 { $0.insert(digest) } }
        }
    }

    func store(_ image: Image, _ report: TransferReport) async throws -> Set<Digest> {
        let session = session(image)
        var sent = try await send(image, session, report)
        do {
            try await put(image, "\(image.manifest.digest)", session)
        } catch let failure as RemoteFailure where failure.detail.contains("BLOB_UNKNOWN") {
            // A blob that was there has gone since, or was never whole.
            sent.formUnion(try await send(image, session, report))
            try await put(image, "\(image.manifest.digest)", session)
        }
        if let attachments = image.attachments {
            let referrers = RegistryReferrers(session: session)
            let there = try await sent.isEmpty ? referrers.list(image.manifest.digest) : []
            for attachment in try await attachments.lacking(beside: there) {
                try await attach(attachment, to: image, referrers)
            }
        }
        try await put(image, tag, session)
        return sent
    }

    /// Attaches a document; some registries take no manifest of that kind.
    private func attach(_ attachment: Attachment, to image: Image, _ referrers: RegistryReferrers) async throws {
        do {
            try await referrers.attach(attachment, to: image.manifest)
        } catch let failure as RemoteFailure where [400, 404, 415, 422].contains(failure.status) {
            throw RemoteFailure(
                failure.reason, address: failure.address, detail: failure.detail, status: failure.status,
                hints: ["push without a bill of materials and provenance: --no-attest"])
        }
    }

    private func send(_ image: Image, _ session: RegistrySession, _ report: TransferReport) async throws -> Set<Digest>
    {
        let lacking = try await lacking(image.blobs, session)
        let blobs = image.blobs.filter { lacking.contains($0.descriptor.digest) }
        report.total(blobs.reduce(0) { $0 + $1.descriptor.size })
        let sent = Mutex<Set<Digest>>([])
        try await blobs.forEach(width: options.width) { blob in
            if try await BlobUpload(blob, session, progress: report.moved).run() {
                sent.withLock { _ = $0.insert(blob.descriptor.digest) }
            }
        }
        return sent.withLock { $0 }
    }

    private func put(_ image: Image, _ reference: String, _ session: RegistrySession) async throws {
        let answer = try await session.put(image.manifestBytes, image.manifest.mediaType, reference)
        if let stored = answer.headers["docker-content-digest"], stored != "\(image.manifest.digest)" {
            throw ImageFailure.malformed(
                place: "\(name):\(tag)", reason: "the registry stored \(stored) instead of \(image.manifest.digest)")
        }
    }
}

extension Array where Element: Sendable {
    /// Calls `body` for all, so many at once; the first error ends the others.
    func forEach(width: Int, _ body: @escaping @Sendable (Element) async throws -> Void) async throws {
        var waiting = self[...]
        try await withThrowingTaskGroup(of: Void.self) { group in
            func startNext() {
                guard let next = waiting.popFirst() else { return }
                group.addTask { try await body(next) }
            }
            for _ in 0..<width { startNext() }
            while try await group.next() != nil { startNext() }
        }
    }
}
