internal import Base

extension ObjectRemote {
    /// Whether the remote keeps its content in this very store, by whatever way that is reached: a link, a mount, ssh to this
    /// machine.
    ///
    /// Told by some new bytes that are put into the store and taken out again: no other remote can have them.
    public func isSame(as store: ContentStore) async throws -> Bool {
        let bytes = Array("git-ml looks whether this store is its own remote \(UUIDv7())\n".utf8)
        let content = ContentID(try store.insert(bytes), size: Int64(bytes.count))
        defer { Files.remove(store.path(of: content.digest)) }
        return try await !present([content], for: .download).isEmpty
    }
}
