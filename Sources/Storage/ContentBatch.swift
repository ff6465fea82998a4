internal import Base
internal import Synchronization
public import SystemPackage

/// Takes many contents into a store with one flush for all.
///
/// They are written to a folder of the batch's own in `<store>/incoming`, hashed on the way, and get their names in ``place()``,
/// after the flush. What a killed process left is removed by the next batch. Threads may share a value.
///
/// A deferred batch is for contents whose pointers are given away before ``place()``: its files are named by their digests, so that
/// the next batch, or ``settle(_:awaiting:)``, puts in place what a killed process left.
public final class ContentBatch: Sendable {
    /// From how many files on one flush of the whole file system is cheaper than one for each.
    private static let syncFrom = 64
    static let prefix = "batch-"

    public let store: ContentStore
    private let isDeferred: Bool
    private let folder: FilePath
    private let lock: FileDescriptor
    private struct State {
        var count = 0
        var waiting: [(file: FilePath, content: ContentID)] = []
        var seen: Set<Digest> = []
    }
    private let state = Mutex(State())

    public init(_ store: ContentStore, isDeferred: Bool = false) throws {
        self.store = store
        self.isDeferred = isDeferred
        let incoming = store.root.appending("incoming")
        try store.makeDirectory(incoming)
        Self.rescue(store)
        folder = incoming.appending("\(Self.prefix)\(UUIDv7())")
        try store.makeDirectory(folder)
        do { lock = try FileDescriptor.open(folder, .readOnly, options: [.closeOnExec]) } catch let errno as Errno {
            throw FileFailure("write", folder, errno)
        }
        flock(lock.rawValue, LOCK_EX | LOCK_NB)
    }

    deinit {
        // What was promised and could not be placed is left for the next batch.
        if !isDeferred || waiting == 0 { try? Files.removeTree(folder) }
        try? lock.close()
    }

    /// Throws away what has no name yet; for a command that ends with an error, which lets no value go.
    public func discard() {
        state.withLock { $0.waiting = [] }
        try? Files.removeTree(folder)
    }

    /// How many contents have no name yet.
    public var waiting: Int { state.withLock { $0.waiting.count } }

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
        guard state.withLock({ $0.seen.insert(content.digest).inserted }) else {
            Files.remove(file)
            return content
        }
        var file = file
        if isDeferred {
            let named = folder.appending(content.digest.hex)
            try Files.rename(file, to: named)
            file = named
        }
        state.withLock { $0.waiting.append((file, content)) }
        return content
    }

    /// Takes in bytes that are in memory.
    public func take(_ bytes: some Collection<UInt8>) throws -> ContentID {
        let bytes = Array(bytes)
        return try take(bytes, as: ContentID(Digest.of(bytes), size: Int64(bytes.count)))
    }

    private func take(_ bytes: some Collection<UInt8>, as content: ContentID) throws -> ContentID {
        if state.withLock({ $0.seen.contains(content.digest) })
            || store.keeps(content.digest, size: content.size)
        {
            return content
        }
        let target = next()
        try create(target) { output in _ = try output.writeAll(bytes) }
        return try add(content, target)
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
        return try take(bytes[..<count], as: content)
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
        try create(target) { file in
            var output = DirectOutput(file)
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
                try output.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
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
    /// for certain when there are few of them, or `isDurable` asks for it. When it throws, what has no name yet waits for
    /// the next call.
    public func place(isDurable: Bool = false) throws {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        if waiting.isEmpty { return }
        do { try place(waiting, isDurable: isDurable) } catch {
            state.withLock { $0.waiting = waiting.filter { Files.exists($0.file) } + $0.waiting }
            throw error
        }
    }

    private func place(_ waiting: [(file: FilePath, content: ContentID)], isDurable: Bool) throws {
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
        for (file, content) in items {
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
@_silgen_name("syncfs")
private func syncfs(_ file: Int32) -> Int32
#else
private func syncfs(_ file: Int32) -> Int32 {
    sync()
    return 0
}
#endif
