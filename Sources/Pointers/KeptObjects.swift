public import Base
public import GitKit
public import Storage
public import SystemPackage

/// The part of ``KeptObjects`` in this clone: the bytes, and marks on what has not been pushed yet.
public struct LocalObjects: Sendable {
    public let store: ContentStore

    /// `mlDirectory` is `<common>/ml`.
    public init(mlDirectory: FilePath) { store = .inheriting(mlDirectory.appending("objects")) }

    /// Those of a repository, which are the group's where `core.sharedRepository` says so.
    init(_ repository: Repository) {
        let inherited = LocalObjects(mlDirectory: repository.mlDirectory).store
        store = ContentStore(inherited.root, isShared: inherited.isShared || repository.isSharedByGroup)
    }

    /// Stores bytes here, durably; the next push sends and lists them.
    public func keep(_ bytes: [UInt8]) throws -> Digest {
        let digest = Digest.of(bytes)
        if store.contains(digest, size: Int64(bytes.count)) { return digest }
        try mark(digest)
        return try store.insert(bytes)
    }

    /// The same for a file, piece by piece.
    public func keep(file: FilePath) throws -> (digest: Digest, size: Int64) {
        // The mark must stand before the content does, and the digest is known only afterwards: hash first.
        let content = try Digest.of(file: file)
        if store.contains(content.digest, size: content.size) { return content }
        try mark(content.digest)
        try store.insert(copyOf: file, as: content.digest, size: content.size)
        return content
    }

    /// Says that a content is still to be pushed.
    func mark(_ digest: Digest) throws { try Files.replace(store.folder("pending").appending(digest.hex), with: []) }

    /// Where an empty file named by its oid stands for each content that has not been pushed yet.
    public var pending: FilePath { store.root.appending("pending") }
}

/// Content that no pointer file names: logs, curves, manifests.
///
/// The bytes lie in `<common>/ml/objects`, because `git lfs prune` would delete them from git-lfs's own folder.
/// `refs/ml/objects` lists each as a pointer text at `aa/bb/<oid>`, so that servers' garbage collectors see them.
public struct KeptObjects: Sendable {
    public static let ref = ContentList.ref

    private let repository: Repository
    private let local: LocalObjects
    public var store: ContentStore { local.store }

    public init(_ repository: Repository) {
        self.repository = repository
        local = LocalObjects(repository)
    }

    /// Stores bytes here and at the remote, and lists them; the same bytes again change nothing.
    public func add(_ bytes: [UInt8], remote: any ObjectRemote) async throws -> Digest {
        let content = ContentID(try store.insert(bytes), size: Int64(bytes.count))
        try await Transfer(remote, store: store).upload([content])
        try list(Pointer(digest: content.digest, size: content.size))
        return content.digest
    }

    /// The bytes of a listed content, brought from the remote when they are not here; nil when it is not listed.
    public func read(_ digest: Digest, remote: any ObjectRemote) async throws -> [UInt8]? {
        if let bytes = try Files.read(store.path(of: digest)) { return bytes }
        let heads =
            try [Self.ref].compactMap { try repository.ref($0) }
            + repository.refs(below: "refs/ml/remotes/").map(\.target)
        for head in heads {
            guard let text = try repository.file(Self.path(digest), in: head),
                let pointer = try? Pointer.parse(text, path: digest.hex)
            else { continue }
            try await Transfer(remote, store: store).download([ContentID(digest, size: pointer.size)])
            return try Files.read(store.path(of: digest))
        }
        return nil
    }

    private static func path(_ digest: Digest) -> String { ContentList.path(digest.hex) }

    private func list(_ pointer: Pointer) throws {
        try ContentList(repository).add([pointer.digest.hex: pointer.text])
    }
}

// MARK: - Sending

extension KeptObjects {
    /// The contents that have not been pushed yet.
    public func waiting() throws -> [ContentID] {
        try Files.list(local.pending).compactMap { name in
            guard let digest = Digest(name), let size = Files.status(store.path(of: digest))?.size else { return nil }
            return ContentID(digest, size: size)
        }
    }

    /// Takes one content out of this clone, pushed or not.
    public func remove(_ digest: Digest) {
        Files.remove(local.pending.appending(digest.hex))
        Files.remove(store.path(of: digest))
    }

    /// Brings one content from somebody else's remote; the next push sends it to ours.
    public func take(_ content: ContentID, from remote: any ObjectRemote) async throws {
        try local.mark(content.digest)
        try await Transfer(remote, store: store).download([content])
    }

    /// Sends what has not been pushed yet, lists it in one commit, and returns what the remote lacked.
    ///
    /// Stopped anywhere, the next call does the rest: a mark goes only when its content is there and listed.
    @discardableResult
    public func send(to remote: any ObjectRemote) async throws -> [ContentID] {
        let waiting = try waiting()
        if waiting.isEmpty { return [] }
        let present = try await remote.present(waiting, for: .upload)
        let absent = waiting.filter { !present.contains($0) }
        try await Transfer(remote, store: store).upload(absent)
        var texts: [String: String] = [:]
        for content in waiting { texts[content.digest.hex] = Pointer(digest: content.digest, size: content.size).text }
        try ContentList(repository).add(texts)
        for content in waiting { Files.remove(local.pending.appending(content.digest.hex)) }
        return absent
    }
}
