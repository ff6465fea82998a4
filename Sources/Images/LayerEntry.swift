public import Base
public import SystemPackage

/// A file of a layer: where it goes, and where its bytes come from.
public struct LayerEntry: Sendable {
    public enum Source: Sendable {
        case file(FilePath)
        /// A file whose content is known by its digest; other bytes never get into a layer.
        case content(FilePath, Digest)
        case bytes([UInt8])
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
}
