internal import Base
internal import Storage
internal import SystemPackage

/// Reads stretches of packs; keeps a few of them open.
struct PackFiles {
    private let store: ContentStore
    /// Contents that are here without their packs.
    private let chunks: ContentStore?
    private var open: [(name: ContentName, file: FileHandle)] = []

    init(store: ContentStore, chunks: ContentStore? = nil) {
        self.store = store
        self.chunks = chunks
    }

    /// Fills `bytes` from a pack; `name` is what for, in messages.
    mutating func read(_ pack: Pack, at offset: Int64, into bytes: UnsafeMutableRawBufferPointer, for name: String)
        throws
    {
        let file = try handle(pack, for: name)
        try Self.read(file, at: offset, into: bytes, store.path(of: pack.name.digest), for: name)
    }

    /// Fills `bytes` with what a content has from `at` on, out of its pack, else of what was brought by itself.
    mutating func read(
        _ content: Slice, of pack: Pack, at: Int64, into bytes: UnsafeMutableRawBufferPointer, for name: String
    ) throws {
        guard let chunk = chunk(content, pack) else {
            return try read(pack, at: content.offset + at, into: bytes, for: name)
        }
        try Self.read(FileHandle(chunk), at: at, into: bytes, chunk, for: name)
    }

    /// The file that a content is read from.
    func place(of content: Slice, _ pack: Pack) -> FilePath {
        chunk(content, pack) ?? store.path(of: pack.name.digest)
    }

    /// The file of a content whose pack is not here; nil when that is, or when there is none.
    private func chunk(_ content: Slice, _ pack: Pack) -> FilePath? {
        guard let chunks, !open.contains(where: { $0.name == pack.name }),
            !store.contains(pack.name.digest, size: pack.size),
            chunks.contains(content.name.digest, size: content.size)
        else { return nil }
        return chunks.path(of: content.name.digest)
    }

    private static func read(
        _ file: FileHandle, at offset: Int64, into bytes: UnsafeMutableRawBufferPointer, _ place: FilePath,
        for name: String
    ) throws {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let count = pread(file.descriptor, base + done, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFailure("read", place, Errno(rawValue: errno)) }
            guard count > 0 else { throw DatasetFailure.damaged(name, place: place.string) }
            done += count
        }
    }

    private mutating func handle(_ pack: Pack, for name: String) throws -> FileHandle {
        if let known = open.last(where: { $0.name == pack.name }) { return known.file }
        let digest = pack.name.digest
        guard store.contains(digest, size: pack.size) else { throw DatasetFailure.missing(name, digest) }
        let file = try FileHandle(store.path(of: digest))
        if open.count >= 12 { open.removeFirst() }
        open.append((pack.name, file))
        return file
    }
}

/// A descriptor that is closed when the value goes.
final class FileHandle: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// Opens a file for reading.
    convenience init(_ path: FilePath) throws {
        let descriptor = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw FileFailure("read", path, Errno(rawValue: errno)) }
        self.init(descriptor)
    }

    deinit { close(descriptor) }
}
