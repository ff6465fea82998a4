internal import Base
public import GitKit
public import Storage
public import SystemPackage

/// A folder, or one large file, that git knows by one pointer file beside it.
public struct Dataset: Sendable {
    /// Of the folder or file, from the top of the work tree, with `/`.
    public let path: String
    public let workTree: FilePath
    public let store: ContentStore
    private let stateDirectory: FilePath

    /// `path` may be the folder's or its pointer file's.
    public init(_ repository: Repository, path: String) throws {
        let name = path.hasSuffix(DatasetPointer.suffix) ? String(path.dropLast(DatasetPointer.suffix.count)) : path
        self.path = name
        workTree = try repository.requireWorkTree()
        store = KeptObjects(repository).store
        stateDirectory = repository.gitDirectory.appending("ml")
    }

    /// One that belongs to no repository: all that it needs lies in the folders named.
    init(path: String, workTree: FilePath, store: ContentStore, stateDirectory: FilePath) {
        self.path = path
        self.workTree = workTree
        self.store = store
        self.stateDirectory = stateDirectory
    }

    /// One of which only what is stored matters: where there is no work tree, too.
    public init(stored repository: Repository, path: String) {
        self.path = path.hasSuffix(DatasetPointer.suffix) ? String(path.dropLast(DatasetPointer.suffix.count)) : path
        workTree = repository.workTree ?? repository.gitDirectory
        store = KeptObjects(repository).store
        stateDirectory = repository.gitDirectory.appending("ml")
    }

    /// The folder or file itself.
    public var place: FilePath { workTree.appending(FilePath(path).components) }
    public var pointerPath: String { path + DatasetPointer.suffix }
    public var pointerFile: FilePath { workTree.appending(FilePath(pointerPath).components) }

    private var key: String { String(Digest.of(path).hex.prefix(32)) }
    var cacheFile: FilePath { stateDirectory.appending("cache").appending("datasets").appending(key) }
    /// Which part of the dataset is wanted here; no cache, because files that are not here would look removed without it.
    var selectionFile: FilePath { stateDirectory.appending("datasets").appending(key + ".selection") }
    var lockFile: FilePath { stateDirectory.appending("datasets").appending(key + ".lock") }

    /// Contents that were brought out of packs by themselves, for a part of a dataset; can be deleted at any time.
    var chunks: ContentStore { Self.chunks(beside: store) }

    static func chunks(beside store: ContentStore) -> ContentStore {
        let folder = store.root.removingLastComponent().appending("cache").appending("chunks")
        return ContentStore(folder, isShared: store.isShared)
    }

    /// Where the content of files lies that are links.
    var unpacked: Unpacked { Unpacked(beside: store) }

    /// What stands where the dataset belongs, a link of ours seen as the file that it stands for.
    func kindOfPlace() -> FileStatus.Kind? {
        guard let kind = Files.status(place)?.kind else { return nil }
        guard kind == .link else { return kind }
        if case .other = unpacked.target(place) { return .link }
        return .file
    }

    /// The pointer that stands in the work tree; nil when there is none.
    public func pointer() throws -> DatasetPointer? {
        try Files.read(pointerFile).map { try DatasetPointer.parse($0, path: pointerPath) }
    }

    /// Which part is wanted in this work tree: all of it unless a pull said otherwise.
    public func selection() throws -> PathSelection {
        try Files.readText(selectionFile).map { PathSelection(text: $0) } ?? PathSelection()
    }

    public func setSelection(_ selection: PathSelection) throws {
        if selection.isAll { return Files.remove(selectionFile) }
        try Files.replace(selectionFile, with: selection.text.utf8)
    }

    /// The root of a pointer's manifest, which must be here.
    func root(_ pointer: DatasetPointer) throws -> ManifestRoot { try Self.root(pointer, name: path, store: store) }

    static func root(_ pointer: DatasetPointer, name: String, store: ContentStore) throws -> ManifestRoot {
        let content = pointer.manifest
        guard content.size <= ManifestRoot.maximumSize else {
            throw DatasetFailure.manifest(name, line: 0, "would be too large (\(content.size) bytes)")
        }
        guard store.contains(content.digest, size: content.size),
            let bytes = try Files.read(store.path(of: content.digest))
        else { throw DatasetFailure.missing(name, content.digest) }
        guard Digest.of(bytes) == content.digest else {
            throw DatasetFailure.damaged(name, place: store.path(of: content.digest).string)
        }
        return try ManifestRoot(bytes, name: name)
    }

    /// The contents that must be here before the manifest can be read; call again when they have been brought.
    public func missingForReading(_ pointer: DatasetPointer) throws -> [ContentID] {
        let content = pointer.manifest
        guard store.contains(content.digest, size: content.size) else { return [content] }
        return try root(pointer).indexes.map(\.content).filter { !store.contains($0.digest, size: $0.size) }
    }

    /// Those contents of a dataset that are here and do not match their digests; reads them all.
    public func damaged(_ pointer: DatasetPointer) throws -> [ContentID] {
        try ([pointer.manifest] + ((try? root(pointer))?.contents ?? [])).filter { content in
            let file = store.path(of: content.digest)
            return Files.exists(file) ? try Digest.of(file: file) != (content.digest, content.size) : false
        }
    }

    /// Reads a manifest, which must be here, to its end; throws what is wrong with it.
    public func check(_ pointer: DatasetPointer) throws {
        var reader = try ManifestReader(root(pointer), name: path, store: store)
        var files: Int64 = 0
        while let entry = try reader.next() { if entry.mode != .folder { files += 1 } }
        guard files == pointer.files else {
            throw DatasetFailure.manifest(path, line: 0, "holds \(files) files, the pointer says \(pointer.files)")
        }
    }

    /// The contents that this work tree needs and that are not here, once the manifest is here: of a part only its packs, and
    /// those of them of which a small share would do.
    public func missingForCheckout(_ pointer: DatasetPointer) throws -> (contents: [ContentID], shares: [PackShare]) {
        let selection = try selection()
        if selection.isAll { return (try missing(pointer), []) }
        let root = try root(pointer)
        var needs = PackNeeds(root.packs, self)
        var reader = try ManifestReader(root, name: path, store: store)
        while let entry = try reader.next() { if selection.contains(entry.path) { needs.add(entry.slices) } }
        return (needs.contents, needs.shares)
    }

    /// All contents of a dataset whose root is here, the root with them.
    public func contents(_ pointer: DatasetPointer) throws -> [ContentID] {
        try [pointer.manifest] + root(pointer).contents
    }
}

/// Brings contents into the store, or throws.
public typealias ContentFetch = @Sendable (_ contents: [ContentID]) async throws -> Void

extension Dataset {
    /// Brings what is needed to read a manifest.
    public func prepare(_ pointer: DatasetPointer, fetch: ContentFetch) async throws {
        for _ in 0..<2 {
            let missing = try missingForReading(pointer)
            if missing.isEmpty { return }
            try await fetch(missing)
        }
    }
}
