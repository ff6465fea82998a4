public import SystemPackage

/// A file-system call that failed.
public struct FileFailure: Failure {
    public let path: FilePath
    public let action: String
    public let errno: Errno

    public init(_ action: String, _ path: FilePath, _ errno: Errno) {
        self.action = action
        self.path = path
        self.errno = errno
    }

    public var kind: FailureKind { errno == .noSuchFileOrDirectory ? .notFound : .user }
    public var description: String { "cannot \(action) \(path): \(errno.description.lowercasedFirst)" }
    public var hints: [String] {
        switch errno {
        case .noSpace: ["free some space on that disk, then run the command again: nothing was left half done"]
        case .permissionDenied: ["check who owns it with `ls -ld '\(path)'`"]
        default: []
        }
    }
}

extension String {
    /// The same text with a small first letter, to stand inside a sentence.
    public var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}

/// What a path stands for, without following a last symbolic link.
public struct FileStatus: Sendable, Equatable {
    public enum Kind: Sendable { case file, directory, link, other }
    public let kind: Kind
    /// In bytes.
    public let size: Int64
    /// The permission bits.
    public let mode: UInt32
    /// When the content last changed.
    public let modified: Timestamp
    public let inode: UInt64
}

/// Reading and writing files so that a power cut leaves the old or the new content, never a mixture.
public enum Files {
    // MARK: Reading

    /// The whole file; nil when there is none.
    public static func read(_ path: FilePath) throws -> [UInt8]? {
        do {
            let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
            return try file.closeAfter {
                var bytes: [UInt8] = []
                let size = Int(max(0, status(of: file).size))
                bytes.reserveCapacity(size)
                var piece = [UInt8](repeating: 0, count: min(max(size + 1, 4096), 1 << 20))
                while true {
                    let count = try piece.withUnsafeMutableBytes { try file.read(into: $0) }
                    if count == 0 { return bytes }
                    bytes += piece[..<count]
                }
            }
        } catch let errno as Errno {
            if errno == .noSuchFileOrDirectory || errno == .notDirectory { return nil }
            throw FileFailure("read", path, errno)
        }
    }

    /// The end of a file, from an offset on, or the first bytes of it.
    public static func read(_ path: FilePath, from offset: Int64, limit: Int = .max) throws -> [UInt8] {
        let file = try open(path, .readOnly, action: "read")
        return try file.closeAfter {
            var bytes = [UInt8](repeating: 0, count: min(limit, Int(max(0, status(of: file).size - offset))))
            var count = 0
            while count < bytes.count {
                let piece = try check("read", path) {
                    try bytes.withUnsafeMutableBytes {
                        try file.read(
                            fromAbsoluteOffset: offset + Int64(count), into: .init(rebasing: $0[count...]))
                    }
                }
                if piece == 0 { break }
                count += piece
            }
            return Array(bytes[..<count])
        }
    }

    /// The whole file as text, wrong UTF-8 replaced; nil when there is none.
    public static func readText(_ path: FilePath) throws -> String? {
        try read(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Gives the file's bytes to `body` in pieces of at most 1 MiB.
    ///
    /// - Returns: How many bytes there were.
    @discardableResult
    public static func readPieces(of path: FilePath, _ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Int64 {
        let file = try open(path, .readOnly, action: "read")
        return try file.closeAfter {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
            defer { buffer.deallocate() }
            var total: Int64 = 0
            while true {
                let count = try check("read", path) { try file.read(into: buffer) }
                if count == 0 { return total }
                total += Int64(count)
                try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }

    /// What stands at the path, or nil.
    public static func status(_ path: FilePath) -> FileStatus? {
        var info = stat()
        guard path.withPlatformString({ lstat($0, &info) }) == 0 else { return nil }
        return FileStatus(info)
    }

    private static func status(of file: FileDescriptor) -> FileStatus {
        var info = stat()
        fstat(file.rawValue, &info)
        return FileStatus(info)
    }

    public static func exists(_ path: FilePath) -> Bool { status(path) != nil }

    /// The folder that relative paths start from; nil when it has been removed.
    public static func currentDirectory() -> FilePath? {
        guard let text = getcwd(nil, 0) else { return nil }
        defer { free(text) }
        return FilePath(String(cString: text))
    }

    /// The names in a directory, sorted; empty when there is none.
    public static func list(_ directory: FilePath) throws -> [String] {
        guard let handle = directory.withPlatformString({ opendir($0) }) else {
            let error = Errno(rawValue: errno)
            if error == .noSuchFileOrDirectory { return [] }
            throw FileFailure("list", directory, error)
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    // MARK: Writing

    /// Replaces the file: temporary file beside it, flushed, renamed, the directory flushed.
    ///
    /// Missing directories are made. A file that is there keeps its mode unless `mode` says otherwise. Of what can be made
    /// anew nothing needs to be flushed: with `isDurable` false a power cut may leave the old file, the new one, or one that is empty.
    public static func replace(
        _ path: FilePath, with bytes: some Sequence<UInt8>, mode: UInt32? = nil, isDurable: Bool = true
    ) throws {
        let bytes = Array(bytes)
        try replace(path, mode: mode, isDurable: isDurable) { file in
            try check("write", path) { _ = try file.writeAll(bytes) }
        }
    }

    /// Replaces the file with what `body` writes to the descriptor; when `body` throws, nothing changes.
    public static func replace(
        _ path: FilePath, mode: UInt32? = nil, isDurable: Bool = true, _ body: (FileDescriptor) throws -> Void
    ) throws {
        let directory = path.removingLastComponent()
        try makeDirectory(directory)
        let old = status(path)
        let permissions = mode ?? (old?.kind == .file ? old?.mode : nil)
        let temporary = temporaryName(beside: path)
        let file = try open(temporary, .writeOnly, [.create, .exclusiveCreate], action: "write")
        do {
            try file.closeAfter {
                try body(file)
                if let permissions { fchmod(file.rawValue, mode_t(permissions)) }
                guard !isDurable || fsync(file.rawValue) == 0 else {
                    throw FileFailure("flush", temporary, Errno(rawValue: errno))
                }
            }
            try rename(temporary, to: path)
        } catch {
            remove(temporary)
            throw error
        }
        if isDurable { flush(directory) }
    }

    /// A fresh name in the same directory; what is left of one after a crash is recognised by `.tmp-git-ml-`.
    public static func temporaryName(beside path: FilePath) -> FilePath {
        let name = path.lastComponent?.string ?? "file"
        return path.removingLastComponent().appending(".tmp-git-ml-\(UUIDv7())-\(name.prefix(80))")
    }

    /// Appends bytes in one write and flushes them, so that what was acknowledged survives a power cut.
    public static func append(_ bytes: [UInt8], to path: FilePath) throws {
        try makeDirectory(path.removingLastComponent())
        let file = try open(path, .writeOnly, [.create, .append], action: "write")
        try file.closeAfter {
            try check("write", path) { _ = try file.writeAll(bytes) }
            guard fsync(file.rawValue) == 0 else { throw FileFailure("flush", path, Errno(rawValue: errno)) }
        }
    }

    /// Makes the directory and its parents; one that is there is fine.
    public static func makeDirectory(_ path: FilePath) throws {
        if path.isEmpty || status(path)?.kind == .directory { return }
        if path.withPlatformString({ mkdir($0, 0o777) }) == 0 { return }
        let error = Errno(rawValue: errno)
        if error == .noSuchFileOrDirectory, path != path.removingLastComponent() {
            try makeDirectory(path.removingLastComponent())
            if path.withPlatformString({ mkdir($0, 0o777) }) == 0 || errno == EEXIST { return }
        }
        // A link to a directory, or another process that made it first.
        var info = stat()
        if path.withPlatformString({ stat($0, &info) }) == 0, info.st_mode & S_IFMT == S_IFDIR { return }
        throw FileFailure("make the directory", path, error)
    }

    public static func rename(_ old: FilePath, to new: FilePath) throws {
        let status = old.withPlatformString { a in new.withPlatformString { b in posixRename(a, b) } }
        guard status == 0 else { throw FileFailure("write", new, Errno(rawValue: errno)) }
    }

    /// Removes a file; one that is not there is fine.
    public static func remove(_ path: FilePath) {
        _ = path.withPlatformString { unlink($0) }
    }

    /// Removes a directory with all that is in it, never following a link.
    public static func removeTree(_ path: FilePath) throws {
        guard let status = status(path) else { return }
        guard status.kind == .directory else { return remove(path) }
        for name in try list(path) { try removeTree(path.appending(name)) }
        guard path.withPlatformString({ rmdir($0) }) == 0 || errno == ENOENT else {
            throw FileFailure("remove", path, Errno(rawValue: errno))
        }
    }

    /// Gives `to` the content of `from`: a reflink where the file system can, else a copy.
    ///
    /// - Note: writes to `to` directly; callers pass a temporary name.
    public static func clone(_ from: FilePath, to: FilePath) throws {
        let source = try open(from, .readOnly, action: "read")
        try source.closeAfter {
            let target = try open(to, .writeOnly, [.create, .exclusiveCreate], action: "write")
            try target.closeAfter {
                #if os(Linux)
                let ficlone: UInt = 0x4004_9409
                if ioctl(target.rawValue, ficlone, source.rawValue) == 0 { return }
                #endif
                let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
                defer { piece.deallocate() }
                while true {
                    let count = try check("read", from) { try source.read(into: piece) }
                    if count == 0 { return }
                    try check("write", to) {
                        _ = try target.writeAll(UnsafeRawBufferPointer(rebasing: piece[..<count]))
                    }
                }
            }
        }
    }

    /// Flushes a directory, so that a rename in it is durable; a file system that cannot is left alone.
    public static func flush(_ directory: FilePath) {
        guard let handle = try? FileDescriptor.open(directory.isEmpty ? "." : directory, .readOnly) else { return }
        fsync(handle.rawValue)
        try? handle.close()
    }

    // MARK: Plumbing

    private static func open(
        _ path: FilePath, _ mode: FileDescriptor.AccessMode, _ options: FileDescriptor.OpenOptions = [],
        action: String
    ) throws -> FileDescriptor {
        try check(action, path) {
            try FileDescriptor.open(
                path, mode, options: options.union(.closeOnExec),
                permissions: options.contains(.create)
                    ? [.ownerReadWrite, .groupReadWrite, .otherReadWrite] : nil)
        }
    }

    private static func check<T>(_ action: String, _ path: FilePath, _ body: () throws -> T) throws -> T {
        do { return try body() } catch let errno as Errno { throw FileFailure(action, path, errno) }
    }
}

extension FileStatus {
    fileprivate init(_ info: stat) {
        kind =
            switch info.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .link
            default: .other
            }
        size = Int64(info.st_size)
        mode = UInt32(info.st_mode & 0o7777)
        #if os(Linux)
        let time = info.st_mtim
        #else
        let time = info.st_mtimespec
        #endif
        modified = Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
        inode = UInt64(info.st_ino)
    }
}
