internal import Base
public import GitKit
public import Storage
internal import SystemPackage

/// Finds dataset pointers in commits and in the work tree.
public struct DatasetScan: Sendable {
    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// The dataset pointers in a commit's tree, by the pointer file's path.
    public func pointers(in commit: ObjectID) throws -> [(path: String, pointer: DatasetPointer)] {
        var found: [(String, DatasetPointer)] = []
        try repository.walk(commit) { path, entry in
            if let pointer = try pointer(entry, path: path) { found.append((path, pointer)) }
        }
        return found
    }

    /// Those in all commits reachable from `new` and not from `old`, each with one path.
    public func pointers(new: [ObjectID], old: [ObjectID]) throws -> [DatasetPointer: String] {
        var found: [DatasetPointer: String] = [:]
        var seen: Set<ObjectID> = []
        try repository.history(from: new, hiding: old) { commit in
            try collect(repository.commit(commit).tree, below: "", &found, &seen)
            return true
        }
        return found
    }

    private func collect(
        _ tree: ObjectID, below: String, _ found: inout [DatasetPointer: String], _ seen: inout Set<ObjectID>
    ) throws {
        guard seen.insert(tree).inserted else { return }
        for entry in try repository.tree(tree).entries {
            if entry.mode == .directory {
                try collect(entry.id, below: below + entry.name + "/", &found, &seen)
            } else if seen.insert(entry.id).inserted, let pointer = try pointer(entry, path: below + entry.name) {
                found[pointer] = below + entry.name
            }
        }
    }

    private func pointer(_ entry: TreeEntry, path: String) throws -> DatasetPointer? {
        guard path.hasSuffix(DatasetPointer.suffix), entry.mode == .file || entry.mode == .executable else {
            return nil
        }
        return try pointer(entry.id, path: path)
    }

    /// The pointer that a blob is; nil for anything else.
    func pointer(_ blob: ObjectID, path: String) throws -> DatasetPointer? {
        guard let header = try repository.header(blob), header.size <= DatasetPointer.maximumLength else { return nil }
        let bytes = try repository.blob(blob)
        guard DatasetPointer.isPointer(bytes) else { return nil }
        do { return try DatasetPointer.parse(bytes, path: path) } catch {
            // One that history has broken must not stop every push; of one that is newer than this program all could be lost.
            if error.kind == .corrupt { return nil }
            throw error
        }
    }

    /// The datasets whose pointer files git knows in the index and that stand in the work tree.
    public func tracked() async throws -> [Dataset] {
        try await indexed().map { try Dataset(repository, path: $0) }.filter { dataset in
            // Somebody else's file may have such a name.
            try Files.read(dataset.pointerFile).map { DatasetPointer.isPointer($0) } ?? false
        }
    }

    private func indexed() async throws -> [String] {
        guard let index = try IndexFile(repository) else {
            let text = try await repository.git("ls-files", "-z", "--", ":(top)*" + DatasetPointer.suffix)
            return text.split(separator: "\0").map { String($0) }
        }
        return index.entries.filter { $0.stage == 0 && Dataset.isPointerPath($0.path) }
            .map { String(decoding: $0.path, as: UTF8.self) }
    }
}

/// Sends what datasets consist of, and lists it.
public struct DatasetTransfer: Sendable {
    private let repository: Repository
    private let remote: any ObjectRemote
    private let progress: @Sendable (Int64, Int64) -> Void

    public init(
        _ repository: Repository, remote: any ObjectRemote,
        progress: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in }
    ) {
        self.repository = repository
        self.remote = remote
        self.progress = progress
    }

    private var store: ContentStore { KeptObjects(repository).store }

    /// Brings contents into the store.
    public func fetch(_ contents: [ContentID]) async throws {
        if contents.isEmpty { return }
        // A remote whose addresses are handed out in batches is asked once for all.
        let present = try await remote.present(contents, for: .download)
        if let lost = contents.first(where: { !present.contains($0) }) {
            throw StorageFailure.missing(lost.digest, remote: remote.address)
        }
        try await Transfer(remote, store: store, progress: progress).download(contents)
    }

    /// Sends the packs and manifests that commits reachable from `new` and not from `old` name, lists them in
    /// `refs/ml/objects`, and returns what the remote lacked.
    ///
    /// Nothing is sent when something is missing on both sides.
    @discardableResult
    public func push(new: [ObjectID], old: [ObjectID]) async throws -> [ContentID] {
        try await push(DatasetScan(repository).pointers(new: new, old: old))
    }

    /// What a push would send.
    public func lacking(new: [ObjectID], old: [ObjectID]) async throws -> [ContentID] {
        let wanted = try contents(DatasetScan(repository).pointers(new: new, old: old))
        if wanted.isEmpty { return [] }
        let present = try await remote.present(Array(wanted.keys), for: .upload)
        return wanted.keys.filter { !present.contains($0) }
    }

    /// All that datasets consist of, with the path of one that needs it.
    private func contents(_ pointers: [DatasetPointer: String]) throws -> [ContentID: String] {
        // A manifest that is not here came from the remote's side: so it is there, with all that it names, or it is lost.
        var wanted: [ContentID: String] = [:]
        for (pointer, path) in pointers {
            wanted[pointer.manifest] = path
            guard store.contains(pointer.manifest.digest, size: pointer.manifest.size) else { continue }
            for content in try Dataset.root(pointer, name: path, store: store).contents { wanted[content] = path }
        }
        return wanted
    }

    /// The same as ``push(new:old:)`` for pointers with the path of each.
    public func push(_ pointers: [DatasetPointer: String]) async throws -> [ContentID] {
        if pointers.isEmpty { return [] }
        let wanted = try contents(pointers)
        let present = try await remote.present(Array(wanted.keys), for: .upload)
        let absent = wanted.keys.filter { !present.contains($0) }
        let lost = absent.filter { !store.contains($0.digest, size: $0.size) }
        guard lost.isEmpty else {
            throw MissingContent(
                items: lost.map { (wanted[$0] ?? "", Pointer(digest: $0.digest, size: $0.size)) }.sorted {
                    $0.path < $1.path
                }, remote: remote.address)
        }
        // Roots go last: what a remote's reader finds by a root is there.
        let roots = Set(pointers.keys.map(\.manifest))
        let transfer = Transfer(remote, store: store, progress: progress)
        try await transfer.upload(absent.filter { !roots.contains($0) })
        try await transfer.upload(absent.filter { roots.contains($0) })
        try ContentList(repository).add(
            Dictionary(
                wanted.keys.map { ($0.digest.hex, Pointer(digest: $0.digest, size: $0.size).text) }
            ) { a, _ in a })
        return absent
    }
}
