public import Base
public import SystemPackage

/// A file of a layer: where it goes, and where its bytes come from.
public struct LayerEntry: Sendable {
    public enum Source: Sendable {
        case bytes([UInt8])
        /// A file of that size, which must not change any more.
        case file(FilePath, size: Int64)
        /// A file whose content is known by its digest; other bytes never get into a layer.
        case content(FilePath, Digest, size: Int64)
        /// Bytes that are read when their turn comes, and not kept.
        case object(size: Int64, read: @Sendable () throws -> [UInt8])
    }

    /// Relative to the root of the image: `app/serve/server.py`.
    public let path: String
    public let source: Source
    public let isExecutable: Bool

    public init(_ path: String, _ source: Source, isExecutable: Bool = false) {
        self.path = path
        self.source = source
        self.isExecutable = isExecutable
    }

    /// In bytes.
    public var size: Int64 {
        switch source {
        case .bytes(let bytes): Int64(bytes.count)
        case .file(_, let size), .content(_, _, let size), .object(let size, _): size
        }
    }

    /// What is shown of it in messages: the file it comes from, or its name.
    var place: String {
        switch source {
        case .file(let path, _), .content(let path, _, _): path.string
        case .bytes, .object: path
        }
    }
}
