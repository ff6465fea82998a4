internal import Base
public import GitKit
internal import SystemPackage

/// Finds what is about to be committed and should have been data.
public struct LargeFiles: Sendable {
    public struct Found: Sendable, Equatable {
        public let path: String
        /// In bytes.
        public let size: Int64
    }

    private let limit: Int64

    public init(above limit: Int64) { self.limit = limit }

    /// Whether an index has entries whose work-tree file is so large that a look at their blobs is needed.
    ///
    /// The only part that most commits pay for.
    public func suspects(_ index: IndexFile) -> [IndexFile.Entry] {
        index.entries.filter { entry in
            // Sizes are kept modulo 4 GiB, and 0 means that nobody knows.
            entry.isFile && entry.stage == 0 && (Int64(entry.sizeInWorkTree) > limit || entry.sizeInWorkTree == 0)
        }
    }

    /// Those whose blob is large and that HEAD does not have the same already.
    public func check(_ suspects: [IndexFile.Entry], in repository: Repository) throws -> [Found] {
        let head = try repository.head()
        return try suspects.compactMap { entry in
            // A pointer is no large blob.
            guard let header = try repository.header(entry.id), Int64(header.size) > limit else { return nil }
            let path = String(decoding: entry.path, as: UTF8.self)
            if let head, try repository.entry(path, in: head)?.id == entry.id { return nil }
            return Found(path: path, size: Int64(header.size))
        }
    }
}
