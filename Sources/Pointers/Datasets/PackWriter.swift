internal import Base
internal import Storage
internal import SystemPackage

/// Puts contents behind one another into new packs of a store.
///
/// A pack is flushed and gets its name in the background while the next one is filled; ``finish()`` waits for them.
/// Used by one thread at a time.
final class PackWriter: @unchecked Sendable {
    // `finished`, `waiting` and `failure` are guarded by `gate`; the rest belongs to the thread that writes.
    static let limit: Int64 = 64 << 20

    private let store: ContentStore
    private var file: FileDescriptor?
    private var path = FilePath()
    private var hasher = Digest.Hasher()
    private var size: Int64 = 0
    private var buffer: [UInt8] = []
    private var count = 0
    private let gate = Gate()
    private var finished: [Int: Pack] = [:]
    private var waiting = 0
    private var failure: (any Error)?

    init(store: ContentStore) {
        self.store = store
        buffer.reserveCapacity(2 << 20)
    }

    deinit {
        if let file {
            try? file.close()
            Files.remove(path)
        }
    }

    /// Appends one content; says in which of the new packs, counted from 0, and where.
    func append(_ bytes: UnsafeRawBufferPointer) throws -> (pack: Int, offset: Int64) {
        if size >= Self.limit { try close() }
        if file == nil { try begin() }
        let place = (count, size)
        buffer.append(contentsOf: bytes)
        size += Int64(bytes.count)
        if buffer.count >= 1 << 20 { try flush() }
        return place
    }

    /// The new packs in the order of their numbers, each durable under its name.
    func finish() throws -> [Pack] {
        if file != nil { try close() }
        gate.with { while waiting > 0 { gate.wait() } }
        if let failure { throw failure }
        return (0..<count).compactMap { finished[$0] }
    }

    private func begin() throws {
        path = try store.folder("incoming").appending("\(UUIDv7())")
        do {
            file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite])
        } catch let errno as Errno { throw FileFailure("write", path, errno) }
        hasher = Digest.Hasher()
        size = 0
    }

    private func flush() throws {
        guard let file, !buffer.isEmpty else { return }
        hasher.update(buffer)
        do { _ = try file.writeAll(buffer) } catch let errno as Errno { throw FileFailure("write", path, errno) }
        buffer.removeAll(keepingCapacity: true)
    }

    private func close() throws {
        try flush()
        guard let file else { return }
        self.file = nil
        let digest = hasher.finish()
        let number = count
        let pack = Pack(name: ContentName(digest), size: size)
        count += 1
        gate.with { waiting += 1 }
        Threads.start { [self, path, store] in
            var failed: (any Error)?
            do { try Self.place(file, path, as: digest, in: store) } catch {
                failed = error
                Files.remove(path)
            }
            gate.with {
                finished[number] = pack
                failure = failure ?? failed
                waiting -= 1
                gate.wake()
            }
        }
    }

    private static func place(
        _ file: FileDescriptor, _ path: FilePath, as digest: Digest, in store: ContentStore
    ) throws {
        let status = fsync(file.rawValue)
        let error = Errno(rawValue: errno)
        try? file.close()
        guard status == 0 else { throw FileFailure("flush", path, error) }
        try store.adopt(path, as: digest)
    }
}
