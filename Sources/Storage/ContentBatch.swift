internal import Base
internal import Synchronization
public import SystemPackage

/// Takes many contents into a store with one flush for all.
///
/// They are written to a folder of the batch's own in `<store>/incoming`, hashed on the way, and get their names in ``place()``,
/// after the flush. What a killed process left is removed by the next batch. Threads may share a value.
public final class ContentBatch: Sendable {
    /// From how many files on one flush of the whole file system is cheaper than one for each.
    private static let syncFrom = 64
    private static let abandoned = "batch-"

    public let store: ContentStore
    private let folder: FilePath
    private let lock: FileDescriptor
    private struct State {
        var count = 0
        var waiting: [(file: FilePath, content: ContentID)] = []
        var seen: Set<Digest> = []
    }
    private let state = Mutex(State())

    public init(_ store: ContentStore) throws {
        self.store = store
        let incoming = store.root.appending("incoming")
        try store.makeDirectory(incoming)
        Self.removeAbandoned(in: incoming)
        folder = incoming.appending("\(Self.abandoned)\(UUIDv7())")
        try store.makeDirectory(folder)
        do { lock = try FileDescriptor.open(folder, .readOnly, options: [.closeOnExec]) } catch let errno as Errno {
            throw FileFailure("write", folder, errno)
        }
        flock(lock.rawValue, LOCK_EX | LOCK_NB)
    }

    deinit {
        try? Files.removeTree(folder)
        try? lock.close()
    }

    /// A process holds the lock of its folder as long as it lives.
    private static func removeAbandoned(in incoming: FilePath) {
        for name in (try? Files.list(incoming)) ?? [] where name.hasPrefix(abandoned) {
            let folder = incoming.appending(name)
            // One that is being made is not locked yet.
            guard let made = Files.status(folder)?.modified,
                Timestamp.now().microseconds - made.microseconds > 60_000_000,
                let handle = try? FileDescriptor.open(folder, .readOnly, options: [.closeOnExec])
            else { continue }
            if flock(handle.rawValue, LOCK_EX | LOCK_NB) == 0 { try? Files.removeTree(folder) }
            try? handle.close()
        }
    }

    // MARK: Taking in

    /// Takes in what is left to read of an open file.
    ///
    /// `path` is for messages. Other bytes than those `expected` are an error.
    public func take(
        _ file: FileDescriptor, path: FilePath, size: Int64, expected: ContentID? = nil
    ) throws -> ContentID {
        if size <= Int64(HashingThread.bufferSize) {
            return try takeSmall(file, path: path, size: Int(size), expected: expected)
        }
        let target = next()
        if let content = try takeReflink(file, path: path, target: target) {
            return try add(content, target, path: path, expected: expected)
        }
        let content = try write(target) { buffer in
            do { return try file.read(into: buffer) } catch let errno as Errno {
                throw FileFailure("read", path, errno)
            }
        }
        return try add(content, target, path: path, expected: expected)
    }

    /// Takes in what `read` puts into the buffers that it is handed, until it answers 0.
    public func take(_ read: (UnsafeMutableRawBufferPointer) throws -> Int) throws -> ContentID {
        let target = next()
        return try add(write(target, read), target)
    }

    /// Takes in the file itself as a second name for it.
    ///
    /// The file is made read-only first, because what is written into it from then on is written into the store.
    public func link(_ file: FileDescriptor, path: FilePath) throws -> ContentID {
        let hashed = try Digest.of(file: path)
        let content = ContentID(hashed.digest, size: hashed.size)
        if store.keeps(content.digest, size: content.size) { return content }
        let mode = Files.status(path)?.mode ?? 0o444
        guard fchmod(file.rawValue, mode_t(mode & ~0o222)) == 0 else {
            throw FileFailure("make read-only", path, Errno(rawValue: errno))
        }
        let target = next()
        let status = path.withPlatformString { a in target.withPlatformString { b in posixLink(a, b) } }
        guard status == 0 else {
            // Another file system, or one without links: a copy does.
            fchmod(file.rawValue, mode_t(mode))
            _ = try? file.seek(offset: 0, from: .start)
            return try take(file, path: path, size: content.size)
        }
        return try add(content, target)
    }

    private func next() -> FilePath {
        state.withLock { state in
            state.count += 1
            return folder.appending("\(state.count)")
        }
    }

    private func add(
        _ content: ContentID, _ file: FilePath, path: FilePath, expected: ContentID?
    ) throws -> ContentID {
        if let expected, content != expected {
            Files.remove(file)
            throw StorageFailure.damaged(expected.digest, place: path.string)
        }
        return try add(content, file)
    }

    private func add(_ content: ContentID, _ file: FilePath) throws -> ContentID {
        let isNew = state.withLock { state in
            guard state.seen.insert(content.digest).inserted else { return false }
            state.waiting.append((file, content))
            return true
        }
        if !isNew { Files.remove(file) }
        return content
    }

    private func takeSmall(
        _ file: FileDescriptor, path: FilePath, size: Int, expected: ContentID?
    ) throws -> ContentID {
        var bytes = [UInt8](repeating: 0, count: size + 1)
        var count = 0
        do {
            while count < bytes.count {
                let piece = try bytes.withUnsafeMutableBytes { try file.read(into: .init(rebasing: $0[count...])) }
                if piece == 0 { break }
                count += piece
            }
        } catch let errno as Errno { throw FileFailure("read", path, errno) }
        guard count <= size else { throw StorageFailure.changing(path.string) }
        let digest = bytes.withUnsafeBytes { all in
            var hasher = Digest.Hasher()
            hasher.update(UnsafeRawBufferPointer(rebasing: all[..<count]))
            return hasher.finish()
        }
        let content = ContentID(digest, size: Int64(count))
        if let expected, content != expected { throw StorageFailure.damaged(expected.digest, place: path.string) }
        if state.withLock({ $0.seen.contains(digest) }) || store.keeps(digest, size: content.size) { return content }
        let target = next()
        try create(target) { output in _ = try output.writeAll(bytes[..<count]) }
        return try add(content, target)
    }

    private func takeReflink(_ file: FileDescriptor, path: FilePath, target: FilePath) throws -> ContentID? {
        #if os(Linux)
        var isCloned = false
        let ficlone: UInt = 0x4004_9409
        try create(target) { isCloned = ioctl($0.rawValue, ficlone, file.rawValue) == 0 }
        guard isCloned else {
            Files.remove(target)
            return nil
        }
        // The clone is hashed, not the file: that may be written to.
        let hashed = try Digest.of(file: target)
        return ContentID(hashed.digest, size: hashed.size)
        #else
        return nil
        #endif
    }

    private func write(
        _ target: FilePath, _ read: (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws -> ContentID {
        let hasher = HashingThread()
        var size: Int64 = 0
        try create(target) { output in
            while true {
                let buffer = hasher.next()
                var count = 0
                while count < buffer.count {
                    let piece = try read(UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
                    if piece == 0 { break }
                    count += piece
                }
                if count == 0 { return }
                hasher.submit(count)
                _ = try output.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                startWriting(output, from: size, count: count)
                size += Int64(count)
            }
        }
        return ContentID(hasher.finish(), size: size)
    }

    private func create(_ target: FilePath, _ body: (FileDescriptor) throws -> Void) throws {
        do {
            let output = try FileDescriptor.open(
                target, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite])
            try output.closeAfter { try body(output) }
        } catch let errno as Errno {
            Files.remove(target)
            throw FileFailure("write", target, errno)
        } catch {
            Files.remove(target)
            throw error
        }
    }

    // MARK: Placing

    /// Flushes what was taken in and gives it its names.
    ///
    /// After a power cut a name without its bytes is not possible: the flush comes first. The names themselves outlast one
    /// for certain when there are few of them, or `isDurable` asks for it.
    public func place(isDurable: Bool = false) throws {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        if waiting.isEmpty { return }
        let isLarge = waiting.count >= Self.syncFrom
        if isLarge { try flushAll() } else { for (file, _) in waiting { try flush(file) } }
        // Two threads in one folder wait for each other: each takes what begins with the same digits.
        let groups = Array(Dictionary(grouping: waiting) { $0.content.digest.hex.prefix(2) }.values)
        try Threads.forEach(groups.count, width: 4) { [store] in
            try Self.place(groups[$0], in: store, isDurable: !isLarge)
        }
        guard isDurable else { return }
        // The folders above may be new as well.
        if isLarge { return try flushAll() }
        for group in groups.compactMap(\.first) {
            Files.flush(store.path(of: group.content.digest).removingLastComponent().removingLastComponent())
        }
        Files.flush(store.root)
    }

    private func flushAll() throws {
        guard syncfs(lock.rawValue) == 0 else { throw FileFailure("flush", folder, Errno(rawValue: errno)) }
    }

    private static func place(
        _ items: [(file: FilePath, content: ContentID)], in store: ContentStore, isDurable: Bool
    ) throws {
        var folders: Set<FilePath> = []
        for (file, content) in items where !store.keeps(content.digest, size: content.size) {
            let target = store.path(of: content.digest)
            let folder = target.removingLastComponent()
            if folders.insert(folder).inserted { try store.makeDirectory(folder) }
            store.share(file, 0o060)
            try Files.rename(file, to: target)
        }
        if isDurable { for folder in folders { Files.flush(folder) } }
    }

    private func flush(_ file: FilePath) throws {
        do {
            let handle = try FileDescriptor.open(file, .readOnly, options: [.closeOnExec])
            try handle.closeAfter { if fsync(handle.rawValue) != 0 { throw Errno(rawValue: errno) } }
        } catch let errno as Errno { throw FileFailure("flush", file, errno) }
    }
}

/// `link(2)`; the type's own method hides it.
private func posixLink(_ a: UnsafePointer<CChar>, _ b: UnsafePointer<CChar>) -> Int32 { link(a, b) }

#if os(Linux)
@_silgen_name("sync_file_range")
private func syncFileRange(_ file: Int32, _ offset: Int64, _ count: Int64, _ flags: UInt32) -> Int32

@_silgen_name("syncfs")
private func syncfs(_ file: Int32) -> Int32
#else
private func syncfs(_ file: Int32) -> Int32 {
    sync()
    return 0
}
#endif

/// Lets the disk begin, so that the flush at the end has little left to do.
private func startWriting(_ file: FileDescriptor, from offset: Int64, count: Int) {
    #if os(Linux)
    _ = syncFileRange(file.rawValue, offset, Int64(count), 2)
    #endif
}
