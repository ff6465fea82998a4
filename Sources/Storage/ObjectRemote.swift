public import Base
public import SystemPackage

/// Content that a clone shares with others.
public struct ContentID: Hashable, Sendable {
    public let digest: Digest
    /// In bytes.
    public let size: Int64

    public init(_ digest: Digest, size: Int64) {
        self.digest = digest
        self.size = size
    }
}

/// A place outside the clone that keeps content under its digest.
public protocol ObjectRemote: Sendable {
    /// The address without secrets.
    var address: String { get }
    /// Which of these are there, with the right size.
    func present(_ contents: [ContentID]) async throws -> Set<ContentID>
    /// Sends one from the store. A reader never sees a part of it.
    func upload(_ content: ContentID, from store: ContentStore) async throws
    /// Brings one into the store, verified.
    func download(_ content: ContentID, to store: ContentStore) async throws
    /// Answers whether the remote can be reached, by an error when not.
    func check() async throws
}

/// A folder: `file:///srv/data`, or the folder in which a local git remote keeps its LFS objects.
public struct DirectoryRemote: ObjectRemote {
    private let store: ContentStore

    public init(_ folder: FilePath) { store = ContentStore(folder) }

    public var address: String { "file://\(store.root)" }

    public func present(_ contents: [ContentID]) -> Set<ContentID> {
        Set(contents.filter { store.contains($0.digest, size: $0.size) })
    }

    public func upload(_ content: ContentID, from local: ContentStore) throws {
        try store.insert(copyOf: local.path(of: content.digest), as: content.digest, size: content.size)
    }

    public func download(_ content: ContentID, to local: ContentStore) throws {
        guard store.contains(content.digest, size: content.size) else {
            throw StorageFailure.missing(content.digest, remote: address)
        }
        try local.insert(copyOf: store.path(of: content.digest), as: content.digest, size: content.size)
    }

    public func check() throws {
        var folder = store.root
        // A folder that nobody has pushed to yet does not exist: its parent must.
        while Files.status(folder) == nil, !folder.removingLastComponent().isEmpty, folder != "/" {
            folder = folder.removingLastComponent()
        }
        guard folder.withPlatformString({ access($0, R_OK | X_OK) }) == 0 else {
            throw FileFailure("read", folder, Errno(rawValue: errno))
        }
    }
}
