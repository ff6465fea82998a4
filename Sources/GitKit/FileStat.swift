internal import Base
public import SystemPackage

/// What the index keeps of a work-tree file, to see without reading whether it has changed.
public struct FileStat: Hashable, Sendable {
    /// ctime and mtime in seconds and nanoseconds, dev, ino, uid, gid, size: each cut to 32 bits, as git does.
    var fields: [UInt32]
    /// In bytes.
    public let size: Int64
    public let mode: UInt32

    public var isFile: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFREG) }
    public var isDirectory: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFDIR) }
    public var isExecutable: Bool { mode & 0o100 != 0 }
    var modifiedSeconds: UInt32 { fields[2] }

    /// Nil when nothing is there; a link is not followed.
    public init?(_ path: FilePath) {
        var info = stat()
        guard path.withPlatformString({ lstat($0, &info) }) == 0 else { return nil }
        self.init(info)
    }

    /// Of an open file.
    public init?(descriptor: Int32) {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { return nil }
        self.init(info)
    }

    private init(_ info: stat) {
        #if os(Linux)
        let (changed, modified) = (info.st_ctim, info.st_mtim)
        #else
        let (changed, modified) = (info.st_ctimespec, info.st_mtimespec)
        #endif
        func cut(_ value: some BinaryInteger) -> UInt32 { UInt32(truncatingIfNeeded: value) }
        fields = [
            cut(changed.tv_sec), cut(changed.tv_nsec), cut(modified.tv_sec), cut(modified.tv_nsec), cut(info.st_dev),
            cut(info.st_ino), cut(info.st_uid), cut(info.st_gid), cut(info.st_size),
        ]
        size = Int64(info.st_size)
        mode = UInt32(info.st_mode)
    }
}

extension FileStat {
    /// The same file, size and mtime; owner, mode and ctime may differ.
    public func hasSameContent(as other: FileStat) -> Bool {
        fields[2...5] == other.fields[2...5] && size == other.size
    }
}
