internal import Base
public import SystemPackage

/// A folder: `file:///srv/data`, or the folder in which a local git remote keeps its LFS objects.
public struct DirectoryRemote: ObjectRemote {
    private let store: ContentStore

    /// In a folder that is the group's what is sent is the group's too.
    public init(_ folder: FilePath) { store = .inheriting(folder) }

    public init(_ store: ContentStore) { self.store = store }

    public var address: String { "file://\(store.root)" }
    /// A disk is not faster with many readers.
    public var width: Int { 4 }
    public var verifiesUploads: Bool { true }
    public var localStore: ContentStore? { store }

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

    public func present(_ contents: [ContentID], for direction: TransferDirection) -> Set<ContentID> {
        Set(contents.filter { store.contains($0.digest, size: $0.size) })
    }

    public func size(of content: ContentID) -> Int64? { Files.status(store.path(of: content.digest))?.size }

    public func upload(_ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void) throws
    {
        try store.insert(copyOf: file, as: content.digest, size: content.size)
        progress(content.size)
    }

    public func download(_ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void) throws
    {
        guard let size = size(of: content) else {
            throw StorageFailure.missing(content.digest, remote: address)
        }
        guard size == content.size else {
            throw StorageFailure.wrongSize(content.digest, said: content.size, size: size, place: address)
        }
        try Files.append(contentsOf: store.path(of: content.digest), to: file, progress: progress)
    }

    public func bytes(of content: ContentID, _ range: Range<Int64>) throws -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        try Files.readPieces(of: store.path(of: content.digest), from: range.lowerBound, count: Int64(range.count)) {
            bytes += $0
        }
        return bytes
    }
}
