internal import Base
internal import SystemPackage

/// Opens the folders below a top one by one, never through a link, and keeps the last one open.
struct TreeFolders {
    private let top: FilePath
    private let handle: FileHandle
    private var last: (path: [UInt8], handle: FileHandle)?

    init(_ top: FilePath) throws {
        self.top = top
        let descriptor = top.withPlatformString { posixOpen($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) }
        guard descriptor >= 0 else { throw FileFailure("open", top, Errno(rawValue: errno)) }
        handle = FileHandle(descriptor)
    }

    func place(_ path: [UInt8]) -> FilePath { top.appending(FilePath(DatasetPath.display(path)).components) }

    /// The folder of a path, and the path's last name; missing folders are made when `creating`.
    mutating func folder(of path: [UInt8], creating: Bool = false) throws -> (folder: FileHandle, name: [CChar]) {
        guard let slash = path.lastIndex(of: 0x2f) else { return (handle, Self.text(path[...])) }
        let name = Self.text(path[(slash + 1)...])
        let folder = Array(path[..<slash])
        if let last, last.path == folder { return (last.handle, name) }
        let opened = try open(folder, creating: creating)
        last = (folder, opened)
        return (opened, name)
    }

    /// One folder itself.
    mutating func open(_ folder: [UInt8], creating: Bool) throws -> FileHandle {
        var at = handle
        for component in folder.split(separator: 0x2f) {
            let name = Self.text(component)
            let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW
            var descriptor = openat(at.descriptor, name, flags)
            if descriptor < 0, errno == ENOENT, creating {
                guard mkdirat(at.descriptor, name, 0o777) == 0 || errno == EEXIST else {
                    throw FileFailure("make the directory", place(folder), Errno(rawValue: errno))
                }
                descriptor = openat(at.descriptor, name, flags)
            }
            guard descriptor >= 0 else { throw FileFailure("open", place(folder), Errno(rawValue: errno)) }
            at = FileHandle(descriptor)
        }
        return at
    }

    static func text(_ name: ArraySlice<UInt8>) -> [CChar] { name.map { CChar(bitPattern: $0) } + [0] }
}

/// Reads files so that what is hashed is one state of them.
struct StableReader {
    private static let tries = 4
    private var folders: TreeFolders
    private let name: String
    private let unpacked: Unpacked
    /// The one file of a dataset of kind file, whatever path is asked for.
    private let only: [UInt8]?

    /// `name` is the dataset's; what stands at `place` is a folder, or the one file.
    init(_ place: FilePath, name: String, kind: DatasetPointer.Kind, unpacked: Unpacked) throws {
        self.unpacked = unpacked
        folders = try TreeFolders(kind == .folder ? place : place.removingLastComponent())
        self.name = name
        only =
            kind == .folder
            ? nil : place.lastComponent.map { $0.withPlatformString { text in Array(String(cString: text).utf8) } }
    }

    private func shown(_ path: [UInt8]) -> String { only == nil ? "\(name)/\(DatasetPath.display(path))" : name }

    /// Appends the content of a small file, or the target of a link, to `buffer`; `stamp` is what the content belongs to.
    ///
    /// A file that changes meanwhile is read again; one that goes on changing is an error.
    mutating func read(_ path: [UInt8], isLink: Bool, stamp: inout FileStamp, into buffer: inout [UInt8]) throws {
        let start = buffer.count
        if isLink { return try readLink(path, into: &buffer) }
        for attempt in 0..<Self.tries {
            if attempt > 0 { usleep(UInt32(2000 << (attempt * 2))) }
            buffer.removeSubrange(start...)
            let file = try open(path)
            let room = Int(max(0, stamp.size)) + 1
            guard room <= 64 << 20 else { throw DatasetFailure.changing(shown(path)) }
            let count = try fill(file, room, path, &buffer)
            var info = stat()
            guard fstat(file.descriptor, &info) == 0 else { throw DatasetFailure.changing(shown(path)) }
            let now = FileStamp(info)
            if now == stamp, count == Int(stamp.size) { return }
            stamp = now
        }
        throw DatasetFailure.changing(shown(path))
    }

    private func fill(_ file: FileHandle, _ room: Int, _ path: [UInt8], _ buffer: inout [UInt8]) throws -> Int {
        let start = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: room))
        var done = 0
        while done < room {
            let count = buffer.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { posixRead(file.descriptor, $0 + start + done, room - done) } ?? 0
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFailure("read", FilePath(shown(path)), Errno(rawValue: errno)) }
            if count == 0 { break }
            done += count
            // A regular file gives all at once: the next call would only say that nothing follows, as the status does.
            if done == room - 1 { break }
        }
        buffer.removeSubrange((start + done)...)
        return done
    }

    private mutating func readLink(_ path: [UInt8], into buffer: inout [UInt8]) throws {
        let (folder, text) = try folders.folder(of: path)
        var target = [CChar](repeating: 0, count: 4097)
        let count = readlinkat(folder.descriptor, text, &target, 4096)
        guard count >= 0 else { throw FileFailure("read", FilePath(shown(path)), Errno(rawValue: errno)) }
        buffer += target[..<count].map { UInt8(bitPattern: $0) }
    }

    /// Opens a regular file, whatever stands there now: never waits for a FIFO, follows no link but ours.
    mutating func open(_ path: [UInt8]) throws -> FileHandle {
        let (folder, text) = try folders.folder(of: only ?? path)
        var descriptor = openat(folder.descriptor, text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        if descriptor < 0, errno == ELOOP {
            descriptor = unpacked.open(folder.descriptor, text)
            if descriptor < 0 { throw DatasetFailure.changing(shown(path)) }
        }
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ELOOP { throw DatasetFailure.changing(shown(path)) }
            throw FileFailure("read", FilePath(shown(path)), Errno(rawValue: errno))
        }
        let file = FileHandle(descriptor)
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            throw DatasetFailure.changing(shown(path))
        }
        return file
    }

    /// Gives a file of any size to `body` in pieces, from the start; `stamp` is what they belong to.
    ///
    /// `body` is called anew from the start when the file has changed meanwhile: `restart` is called before.
    mutating func readPieces(
        _ path: [UInt8], stamp: inout FileStamp, restart: () throws -> Void,
        _ body: (_ file: FileHandle, _ size: Int64) throws -> Int64
    ) throws {
        for _ in 0..<3 {
            try restart()
            let file = try open(path)
            let count = try body(file, stamp.size)
            var info = stat()
            guard fstat(file.descriptor, &info) == 0 else { throw DatasetFailure.changing(shown(path)) }
            let now = FileStamp(info)
            if now == stamp, count == stamp.size { return }
            stamp = now
        }
        throw DatasetFailure.changing(shown(path))
    }

    /// The content name of a file of any size or of a link.
    mutating func name(of path: [UInt8], isLink: Bool, stamp: inout FileStamp) throws -> ContentName {
        if isLink || stamp.size <= 1 << 20 {
            var bytes: [UInt8] = []
            try read(path, isLink: isLink, stamp: &stamp, into: &bytes)
            return ContentName(Digest.of(bytes))
        }
        var hasher = Digest.Hasher()
        let shown = shown(path)
        try readPieces(path, stamp: &stamp, restart: { hasher = Digest.Hasher() }) { file, _ in
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
            defer { buffer.deallocate() }
            var total: Int64 = 0
            while true {
                let count = posixRead(file.descriptor, buffer.baseAddress, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw FileFailure("read", FilePath(shown), Errno(rawValue: errno)) }
                if count == 0 { return total }
                hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                total += Int64(count)
            }
        }
        return ContentName(hasher.finish())
    }
}

/// `read(2)`; named apart because `StableReader.read` hides it.
func posixRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}

/// `open(2)`; named apart because methods of that name hide it.
func posixOpen(_ path: UnsafePointer<CChar>, _ flags: Int32) -> Int32 { open(path, flags) }
