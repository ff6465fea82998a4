internal import Base
public import Storage
public import SystemPackage

/// A store for what is on its way to one place, so that an interrupted download is continued by the next call.
public struct OriginCache: ~Copyable {
    public let store: ContentStore
    private let lock: FileLock

    /// `folder` holds such stores; the same words lead to the same one, and one caller at a time has it.
    public init(in folder: FilePath, for words: [String]) throws {
        let name = String(Digest.of(words.joined(separator: "\0")).hex.prefix(32))
        lock = try FileLock.wait(folder.appending("lock-\(name.prefix(2))"))
        store = ContentStore(folder.appending(name))
    }

    /// Removes the store, when nothing in it is needed any more.
    public func remove() { try? Files.removeTree(store.root) }
}
