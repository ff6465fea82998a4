public import Base
internal import GitKit
public import Storage
internal import SystemPackage

extension Pruning {
    /// Of the store of datasets what is here and may go if the remote has it: packs and manifests that history names, and no
    /// state that stays.
    ///
    /// Logs and curves of runs lie in the same store and are no candidates. What cannot be read could name anything: a broken
    /// manifest of a state that stays is an error.
    public func datasetCandidates(olderThan time: Timestamp) async throws -> [ContentID] {
        let kept = KeptObjects(repository)
        let scan = DatasetScan(repository)
        let all = try scan.pointers(new: await list(["rev-list", "--all", "--reflog"]), old: [])
        if all.isEmpty { return [] }
        let pointers = try await staying()
        var retained = Set(try kept.waiting())
        for (pointer, path) in pointers { retained.formUnion(try contents(pointer, path, kept.store)) }
        var found: Set<ContentID> = []
        for (pointer, path) in all where pointers[pointer] == nil {
            // Of one that cannot be read only the root itself is known.
            found.formUnion((try? contents(pointer, path, kept.store)) ?? [pointer.manifest])
        }
        return found.subtracting(retained).filter { content in
            guard let status = Files.status(kept.store.path(of: content.digest)) else { return false }
            return status.size == content.size && status.modified < time
        }.sorted { $0.digest < $1.digest }
    }

    /// Contents that were brought out of packs by themselves before a time: what they are part of is at the remote.
    public func chunks(olderThan time: Timestamp) throws -> (store: ContentStore, contents: [ContentID]) {
        let store = Dataset.chunks(beside: KeptObjects(repository).store)
        let contents = try store.all().compactMap { digest -> ContentID? in
            guard let status = Files.status(store.path(of: digest)), status.modified < time else { return nil }
            return ContentID(digest, size: status.size)
        }
        return (store, contents)
    }

    /// Unpacked contents of before a time that nothing is a link to: no other name of the file, and no state that stays.
    ///
    /// What is changed, or not as it was written, is no candidate: it may be somebody's only copy. The next checkout makes what
    /// it needs anew.
    public func unpacked(olderThan time: Timestamp) async throws -> (store: ContentStore, contents: [ContentID]) {
        let kept = KeptObjects(repository).store
        let unpacked = Unpacked(beside: kept)
        var found = try unpacked.unlinked(olderThan: time)
        if found.isEmpty { return (unpacked.store, []) }
        for (pointer, path) in try await staying() {
            do {
                var reader = try ManifestReader(
                    Dataset.root(pointer, name: path, store: kept), name: path, store: kept, checksCase: false)
                while let entry = try reader.next() { found[entry.name] = nil }
            } catch is DatasetFailure {
                // It could name any of them.
                return (unpacked.store, [])
            }
        }
        return (unpacked.store, found.map { ContentID($0.key.digest, size: $0.value) })
    }

    /// The datasets of all states that stay, with a path of each.
    private func staying() async throws -> [DatasetPointer: String] {
        var pointers = try await inIndexes()
        let scan = DatasetScan(repository)
        for commit in try await commits() {
            for item in try scan.pointers(in: commit) { pointers[item.pointer] = item.path }
        }
        return pointers
    }

    /// A manifest that is not here cannot need a pack that is, beyond what can be brought with it.
    private func contents(_ pointer: DatasetPointer, _ path: String, _ store: ContentStore) throws -> [ContentID] {
        guard Files.exists(store.path(of: pointer.manifest.digest)) else { return [pointer.manifest] }
        return try [pointer.manifest] + Dataset.root(pointer, name: path, store: store).contents
    }

    /// The datasets that the indexes of all work trees name, and the work tree's own pointer files.
    private func inIndexes() async throws -> [DatasetPointer: String] {
        var found: [DatasetPointer: String] = [:]
        for git in try indexes() {
            for entry in ListedEntry.parse(try await git.bytes(["ls-files", "-s", "-z"]))
            where entry.isFile && Dataset.isPointerPath(entry.path) {
                if let pointer = try DatasetScan(repository).pointer(entry.id, path: entry.name) {
                    found[pointer] = entry.name
                }
            }
        }
        if repository.workTree != nil {
            for dataset in try await DatasetScan(repository).tracked() {
                if let pointer = try dataset.pointer() { found[pointer] = dataset.path }
            }
        }
        return found
    }
}
