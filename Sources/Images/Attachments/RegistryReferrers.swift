internal import Base
internal import Storage
internal import Transport

/// What belongs to an image of a repository: by the referrers API, or where a registry has none by an index under the tag
/// `sha256-<digest>` (OCI distribution specification 1.1, "Referrers Tag Schema").
struct RegistryReferrers {
    let session: RegistrySession

    /// What is attached to an image.
    func list(_ image: Digest) async throws -> [Referrer] {
        let path = "referrers/\(image)"
        var details = RegistrySession.Details(headers: ["Accept": MediaType.index])
        details.sink = .memory(limit: StoredManifest.limit)
        let answer = try await session.options.retry.run { _ in
            let answer = try await session.send("GET", path, details)
            if answer.status == 429 || answer.status >= 500 { throw session.failure("GET", path, answer) }
            return answer
        }
        // Registries without the API answer 404, a redirect, a page: whatever it is, it is no index.
        if answer.status == 200, let json = try? JSON.parse(answer.text), json["manifests"]?.array != nil {
            return Referrer.list(json, place: "\(session.name)")
        }
        return Referrer.list(try await index(image), place: "\(session.name)")
    }

    private func tag(_ image: Digest) -> String { "sha256-\(image.hex)" }

    /// The manifest that lists them where the registry does not; nil where there is none.
    func fallback(_ image: Digest) async throws -> StoredManifest? {
        do {
            return try await RegistrySource(session: session, tag: tag(image), digest: nil).manifest(nil)
        } catch let failure as ImageFailure where failure.kind == .notFound { return nil }
    }

    /// The index of the tag; an empty one where there is none.
    private func index(_ image: Digest) async throws -> JSON {
        guard let found = try await fallback(image) else { return OCILayout.index([]) }
        guard found.isIndex else {
            throw ImageFailure.unsupported(
                "\(session.name) answers the tag \(tag(image)) with an image, so that nothing can be attached to it",
                hints: ["push without it: --no-attest"])
        }
        return found.json
    }

    /// Attaches a document; the registry itself says whether it keeps the list.
    func attach(_ attachment: Attachment, to image: Descriptor) async throws {
        for blob in [Attachment.emptyConfig, attachment.blob] {
            let upload = BlobUpload(blob, session) { _ in }
            if try await !upload.isThere() { _ = try await upload.run() }
        }
        let bytes = attachment.manifest(of: image)
        let answer = try await session.put(bytes, MediaType.manifest, "\(Digest.of(bytes))")
        guard answer.headers["oci-subject"] == nil else { return }
        let entry = attachment.entry(of: image)
        // Two may write the index at once, and the later one wins: it is looked at again.
        for _ in 0..<4 {
            let entries = try await index(image.digest)["manifests"]?.array ?? []
            if entries.contains(where: { $0["digest"] == entry["digest"] }) { return }
            _ = try await session.put(
                Array(OCILayout.index(entries + [entry]).canonical.utf8), MediaType.index, tag(image.digest))
        }
    }
}
