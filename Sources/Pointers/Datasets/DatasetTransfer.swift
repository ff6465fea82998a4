internal import Base
public import GitKit
public import Storage
internal import SystemPackage

/// Sends what datasets consist of, and lists it.
public struct DatasetTransfer: Sendable {
    private let repository: Repository
    let remote: any ObjectRemote
    let progress: @Sendable (Int64, Int64) -> Void

    public init(
        _ repository: Repository, remote: any ObjectRemote,
        progress: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in }
    ) {
        self.repository = repository
        self.remote = remote
        self.progress = progress
    }

    private var store: ContentStore { KeptObjects(repository).store }
    var chunks: ContentStore { Dataset.chunks(beside: store) }

    /// Brings contents into the store.
    public func fetch(_ contents: [ContentID]) async throws {
        if contents.isEmpty { return }
        // A remote whose addresses are handed out in batches is asked once for all.
        let present = try await remote.present(contents, for: .download)
        let lost = contents.filter { !present.contains($0) }
        if !lost.isEmpty { throw await remote.failure(missing: lost) }
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
