public import Base
public import GitKit
public import Storage
internal import SystemPackage

/// Content that is needed and nowhere to be found.
public struct MissingContent: Failure {
    public let items: [(path: String, pointer: Pointer)]
    public let remote: String

    public var kind: FailureKind { .user }
    public var description: String {
        let names = items.prefix(5).map { "\($0.path) (\($0.pointer.digest.short))" }.joined(separator: ", ")
        return "the content of \(items.count) file(s) is neither here nor at \(remote): \(names)"
            + (items.count > 5 ? ", …" : "")
    }
    public var hints: [String] {
        ["bring it from the clone that has it (`git push` there), or `git push --no-verify` to push without it"]
    }
}

/// Moves the bytes behind pointers between this clone and its data remote.
public struct DataTransfer: Sendable {
    private let repository: Repository
    private let store: ContentStore
    private let remote: any ObjectRemote
    private let progress: @Sendable (_ bytes: Int64, _ total: Int64) -> Void

    /// `progress` is told of the bytes moved since the last call, and of those of all that are to be moved.
    public init(
        _ repository: Repository, store: ContentStore, remote: any ObjectRemote,
        progress: @escaping @Sendable (_ bytes: Int64, _ total: Int64) -> Void = { _, _ in }
    ) {
        self.progress = progress
        self.repository = repository
        self.store = store
        self.remote = remote
    }

    /// Sends what the commits reachable from `new` and not from `old` name and the remote lacks.
    ///
    /// Nothing is sent when something is missing on both sides. Returns the contents that were sent.
    public func push(new: [ObjectID], old: [ObjectID]) async throws -> [ContentID] {
        let absent = try await lacking(new: new, old: old)
        try await Transfer(remote, store: store, progress: progress).upload(absent)
        return absent
    }

    /// What ``push(new:old:)`` would send.
    public func lacking(new: [ObjectID], old: [ObjectID]) async throws -> [ContentID] {
        let pointers = try PointerScan(repository).pointers(new: new, old: old).filter { $0.key.size > 0 }
        let wanted = pointers.keys.map { ContentID($0.digest, size: $0.size) }
        let present = wanted.isEmpty ? [] : try await remote.present(wanted, for: .upload)
        let absent = wanted.filter { !present.contains($0) }
        if absent.contains(where: { !store.contains($0.digest, size: $0.size) }) {
            try await ContentBatch.settle(store, awaiting: absent)
        }
        let lost = absent.filter { !store.contains($0.digest, size: $0.size) }
        guard lost.isEmpty else {
            let items = pointers.filter { entry in lost.contains { $0.digest == entry.key.digest } }
                .map { (path: $0.value, pointer: $0.key) }.sorted { $0.path < $1.path }
            throw MissingContent(items: items, remote: remote.address)
        }
        return absent
    }

    /// Brings content into the store; what is there already is left alone.
    public func fetch(_ pointers: [Pointer]) async throws {
        let absent = Set(pointers).filter { $0.size > 0 && !store.contains($0.digest, size: $0.size) }
        try await Transfer(remote, store: store, progress: progress)
            .download(absent.map { ContentID($0.digest, size: $0.size) })
    }

    /// Replaces the pointers that still stand in the work tree of `commit` by the content they name.
    ///
    /// A file that the user has changed is no pointer any more and is left alone; what `lfs.fetchexclude` names stays a pointer.
    /// Returns the paths.
    public func checkOut(_ commit: ObjectID, link: DataSettings.Link = .reflink) async throws -> [String] {
        let filter = try FetchFilter(repository.lfsSettings())
        let tree = try WorkTreeData(repository, link: link)
        let files = try await DataFiles(repository).at(commit).filter { filter.allows($0.name) }
        let waiting = try tree.waiting(files)
        try await fetch(waiting.map(\.pointer))
        return try await tree.checkOut(waiting).map(\.name)
    }
}

extension Repository {
    /// The folder of content that pointers in git name, shared with git-lfs (`lfs.storage`, relative to the git folder).
    ///
    /// With `core.sharedRepository`, or in a folder that is the group's, what is added is the group's too.
    public var contentStore: ContentStore {
        let storage = (try? setting("lfs.storage")).flatMap { $0.isEmpty ? nil : FilePath($0) } ?? "lfs"
        let inherited = ContentStore.inheriting(commonDirectory.pushing(storage).appending("objects"))
        return ContentStore(inherited.root, isShared: inherited.isShared || isSharedByGroup)
    }

    /// Whether `core.sharedRepository` gives what is added to the group too.
    var isSharedByGroup: Bool {
        let shared = (try? setting("core.sharedRepository"))?.lowercased() ?? "false"
        return !["false", "umask", "0", "no", "off"].contains(shared)
    }
}
