internal import Base
internal import GitKit
internal import Images
internal import Pointers
internal import Storage
internal import SystemPackage

/// Files of a commit, pointers standing for the content that they name; nothing is read before it is needed.
struct CommitFiles: Sendable {
    let repository: Repository
    let commit: ObjectID
    let fetch: (@Sendable ([Pointer]) async throws -> Void)?

    init(repository: Repository, commit: ObjectID, fetch: (@Sendable ([Pointer]) async throws -> Void)? = nil) {
        self.repository = repository
        self.commit = commit
        self.fetch = fetch
    }

    /// One file, where it goes in the image.
    struct Item: Sendable {
        enum Source: Sendable {
            case bytes([UInt8])
            case blob(ObjectID, size: Int64)
            case pointer(Pointer)
        }

        let path: String
        let source: Source
        let isExecutable: Bool

        init(path: String, source: Source, isExecutable: Bool) {
            self.path = path
            self.source = source
            self.isExecutable = isExecutable
        }

        init(path: String, bytes: [UInt8]) { self.init(path: path, source: .bytes(bytes), isExecutable: false) }
    }

    // MARK: Listing

    /// A file, or a folder with its name and all that is in it.
    func list(_ path: String, below folder: String) throws -> [Item] {
        let top = try entry(path)
        guard top.mode == .directory else { return [try item(top, "\(folder)/\(top.name)", shown: path)] }
        return try contents(path, below: "\(folder)/\(top.name)")
    }

    /// What is in a folder.
    func contents(_ path: String, below folder: String) throws -> [Item] {
        var items: [Item] = []
        try repository.walk(entry(path).id) {
            items.append(try item($1, "\(folder)/\($0)", shown: "\(path)/\($0)"))
        }
        guard !items.isEmpty else {
            throw ImageFailure.unusableFile(path: path, reason: "the folder is empty")
        }
        return items
    }

    private func entry(_ path: String) throws -> TreeEntry {
        guard let entry = try repository.entry(path, in: commit) else {
            throw Refusal("\(path) is not in the commit \(commit.short)")
        }
        return entry
    }

    private func item(_ entry: TreeEntry, _ path: String, shown: String) throws -> Item {
        guard entry.mode == .file || entry.mode == .executable else {
            throw ImageFailure.unusableFile(path: shown, reason: "it is a link or a submodule")
        }
        let size = try repository.header(entry.id)?.size ?? 0
        var source = Item.Source.blob(entry.id, size: Int64(size))
        if size <= Pointer.maximumLength,
            let pointer = try? Pointer.parse(repository.blob(entry.id), path: shown), pointer.size > 0
        {
            source = .pointer(pointer)
        }
        return Item(path: path, source: source, isExecutable: entry.mode == .executable)
    }

    /// The bytes of one file.
    func read(_ path: String) throws -> [UInt8] {
        guard let bytes = try repository.file(path, in: commit) else {
            throw Refusal("\(path) is not in the commit \(commit.short)")
        }
        return bytes
    }

    // MARK: Digests

    /// One file's content, or of several the list of their digests and names.
    func digest(of items: [Item]) throws -> Digest {
        let digests = try items.map { item -> (Digest, String) in
            switch item.source {
            case .bytes(let bytes): (.of(bytes), item.path)
            case .blob(let id, _): (.of(try repository.blob(id)), item.path)
            case .pointer(let pointer): (pointer.digest, item.path)
            }
        }
        if let only = digests.first, digests.count == 1 { return only.0 }
        return .of(digests.map { "\($0.0) \($0.1)\n" }.sorted().joined())
    }

    /// An item as a file of a bare model; its bytes are brought when somebody lacks them.
    func modelFile(_ item: Item) throws -> ModelFile {
        let (digest, size): (Digest, Int64) =
            switch item.source {
            case .bytes(let bytes): (.of(bytes), Int64(bytes.count))
            case .blob(let id, let size): (.of(try repository.blob(id)), size)
            case .pointer(let pointer): (pointer.digest, pointer.size)
            }
        return ModelFile(item.path, isExecutable: item.isExecutable, digest, size: size) {
            switch item.source {
            case .bytes(let bytes): return .bytes(bytes)
            case .blob(let id, _): return .bytes(try repository.blob(id))
            case .pointer(let pointer):
                _ = try await entries([item])
                return .file(repository.contentStore.path(of: pointer.digest))
            }
        }
    }

    /// What a layer of the items follows from; no content is read for it.
    func key(of items: [Item]) -> Digest {
        .of(
            items.map { item in
                let content =
                    switch item.source {
                    case .bytes(let bytes): "\(Digest.of(bytes))"
                    case .blob(let id, _): id.hex
                    case .pointer(let pointer): "\(pointer.digest)"
                    }
                return "\(content) \(item.isExecutable) \(item.path)\n"
            }.sorted().joined())
    }

    // MARK: Bytes

    /// The items as a layer's entries; content that is not here is brought first.
    func entries(_ items: [Item]) async throws -> [LayerEntry] {
        let store = repository.contentStore
        let absent = items.compactMap { item -> Pointer? in
            guard case .pointer(let pointer) = item.source, !store.contains(pointer.digest, size: pointer.size) else {
                return nil
            }
            return pointer
        }
        if !absent.isEmpty { try await fetch?(absent) }
        return try items.map { item in
            let source: LayerEntry.Source
            switch item.source {
            case .bytes(let bytes): source = .bytes(bytes)
            case .blob(let id, let size): source = .object(size: size) { [repository] in try repository.blob(id) }
            case .pointer(let pointer):
                guard store.contains(pointer.digest, size: pointer.size) else {
                    throw StorageFailure.missing(pointer.digest, remote: store.root.string)
                }
                source = .content(store.path(of: pointer.digest), pointer.digest, size: pointer.size)
            }
            return LayerEntry(item.path, source, isExecutable: item.isExecutable)
        }
    }
}
