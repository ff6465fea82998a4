internal import Base
internal import Storage
internal import SystemPackage
internal import Transport

extension ImageCatalog {
    /// Removes images by their digests, with what stands beside them and, in a layout, blobs that nothing else there needs.
    ///
    /// A registry frees the room itself, by a collector of its own. Every tag of a digest goes with it.
    public func remove(_ images: [ListedImage]) async throws {
        var seen: Set<Digest> = []
        let digests = images.map(\.manifest.digest).filter { seen.insert($0).inserted }
        switch reference {
        case .registry(let name, _, _):
            let session = RegistrySession(name, actions: "pull,push,delete", options)
            for digest in digests { try await remove(digest, session) }
        case .layout(let folder, _, _): try OCILayout(folder).remove(seen)
        case .archive: throw ImageFailure.unsupported("\(reference) is one image, and no list of them")
        }
    }

    private func remove(_ digest: Digest, _ session: RegistrySession) async throws {
        let referrers = RegistryReferrers(session: session)
        let beside = try await referrers.list(digest).map(\.manifest.digest)
        let fallback = try await referrers.fallback(digest)
        // A registry that answers the tag with the image itself has no such index.
        let index = fallback.flatMap { $0.isIndex ? [$0.descriptor.digest] : nil } ?? []
        for manifest in beside + index + [digest] {
            let path = "manifests/\(manifest)"
            let answer = try await options.retry.run { _ in
                let answer = try await session.send("DELETE", path)
                if answer.isSuccess || [404, 405].contains(answer.status) { return answer }
                throw session.failure("DELETE", path, answer)
            }
            guard answer.status != 405 else {
                throw ImageFailure.unsupported(
                    "\(session.name) lets nobody remove images this way",
                    hints: [
                        "remove them in the registry's own pages, or set `storage: delete: enabled` in its settings"
                    ])
            }
        }
    }
}

extension OCILayout {
    /// Takes manifests and what names them as subject out of the index, and then the blobs that only they needed.
    fileprivate func remove(_ digests: Set<Digest>) throws {
        try FileLock.with(root.appending(".git-ml.lock")) {
            let index = root.appending("index.json")
            let found = try LayoutIndex(Files.readText(index), place: "oci:\(root)")
            let entries = found.json["manifests"]?.array ?? []
            let gone = entries.filter { entry in
                guard let digest = entry["digest"]?.string.flatMap({ Digest($0) }) else { return false }
                return digests.contains(digest) || subject(of: digest).map { digests.contains($0) } == true
            }
            let kept = entries.filter { !gone.contains($0) }
            try Files.replace(index, with: Self.index(kept).canonical.utf8)
            let needed = try reachable(kept)
            for digest in try reachable(gone).subtracting(needed) { Files.remove(path(of: digest)) }
        }
    }

    private func subject(of manifest: Digest) -> Digest? {
        let text = (try? Files.readText(path(of: manifest))) ?? nil
        return text.flatMap { try? JSON.parse($0) }?["subject"]?["digest"]?.string.flatMap { Digest($0) }
    }

    /// All that manifests and indexes lead to, themselves included.
    private func reachable(_ entries: [JSON]) throws -> Set<Digest> {
        var found: Set<Digest> = []
        var waiting = entries
        while let entry = waiting.popLast() {
            guard let digest = entry["digest"]?.string.flatMap({ Digest($0) }), found.insert(digest).inserted,
                MediaType.manifests.contains(entry["mediaType"]?.string ?? "")
                    || MediaType.indexes.contains(entry["mediaType"]?.string ?? ""),
                let text = try Files.readText(path(of: digest)), let json = try? JSON.parse(text)
            else { continue }
            waiting +=
                (json["manifests"]?.array ?? []) + (json["layers"]?.array ?? []) + [json["config"]].compactMap { $0 }
        }
        return found
    }
}
