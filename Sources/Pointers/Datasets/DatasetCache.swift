internal import Base
internal import SystemPackage

/// What is known of a dataset's files in the work tree, by their stamps: `<git>/ml/cache/datasets/<key>`.
///
/// Rebuilt by reading files when it is gone. Binary, little-endian: magic, the manifest's digest, the number of
/// entries; an entry is size, mtime, ctime, inode, content name, mode, length of the path, path; a SHA-256 of it all.
final class DatasetCache: @unchecked Sendable {
    // The bytes do not change after `init`.
    private static let magic = Array("gmlds\u{1}\u{0}\u{0}".utf8)
    private static let headerSize = 48
    private static let fixedSize = 67

    let manifest: ContentName
    let count: Int
    private let bytes: [UInt8]

    /// Reads the cache; nil when there is none that can be used.
    init?(_ file: FilePath) {
        guard let bytes = try? Files.read(file), bytes.count >= Self.headerSize + 32,
            bytes.starts(with: Self.magic)
        else { return nil }
        let end = bytes.count - 32
        let isWhole = bytes.withUnsafeBytes { all in
            var hasher = Digest.Hasher()
            hasher.update(UnsafeRawBufferPointer(rebasing: all[..<end]))
            return hasher.finish().bytes.elementsEqual(all[end...])
        }
        guard isWhole else { return nil }
        self.bytes = bytes
        manifest = bytes.withUnsafeBytes { ContentName(raw: UnsafeRawBufferPointer(rebasing: $0[8..<40])) }
        count = bytes.withUnsafeBytes { Int(truncatingIfNeeded: $0.loadUnaligned(fromByteOffset: 40, as: UInt64.self)) }
    }

    struct Entry {
        let path: Range<Int>
        let stamp: FileStamp
        let name: ContentName
        let mode: FileTable.Mode
    }

    /// Goes through the entries in the order of their paths.
    struct Cursor {
        let cache: DatasetCache?
        private var at = DatasetCache.headerSize
        private(set) var entry: Entry?

        init(_ cache: DatasetCache?) {
            self.cache = cache
            advance()
        }

        mutating func advance() {
            entry = nil
            guard let cache else { return }
            let end = cache.bytes.count - 32
            guard at + DatasetCache.fixedSize <= end else { return }
            let start = at
            let entry: Entry? = cache.bytes.withUnsafeBytes { all in
                func word(_ i: Int) -> UInt64 { all.loadUnaligned(fromByteOffset: start + i * 8, as: UInt64.self) }
                let length = Int(all.loadUnaligned(fromByteOffset: start + 65, as: UInt16.self))
                let path = start + DatasetCache.fixedSize
                guard path + length <= end, let mode = FileTable.Mode(rawValue: all[start + 64]) else { return nil }
                return Entry(
                    path: path..<path + length,
                    stamp: FileStamp(
                        size: Int64(bitPattern: word(0)), modified: Int64(bitPattern: word(1)),
                        changed: Int64(bitPattern: word(2)), inode: word(3)),
                    name: ContentName(raw: UnsafeRawBufferPointer(rebasing: all[start + 32..<start + 64])), mode: mode)
            }
            guard let entry else { return }
            at = entry.path.upperBound
            self.entry = entry
        }

        func path(_ entry: Entry) -> [UInt8] { cache.map { Array($0.bytes[entry.path]) } ?? [] }

        /// The entry of a path; asked for in the order of paths.
        mutating func find(_ path: UnsafeRawBufferPointer) -> Entry? {
            while let entry, let cache {
                let way = cache.bytes.withUnsafeBytes { order(UnsafeRawBufferPointer(rebasing: $0[entry.path]), path) }
                if way > 0 { return nil }
                let found = entry
                advance()
                if way == 0 { return found }
            }
            return nil
        }
    }

    /// Collects entries for a new cache; in the order of their paths.
    struct Writer {
        private var bytes: [UInt8]
        private var count: UInt64 = 0

        init(manifest: ContentName, capacity: Int = 0) {
            bytes = DatasetCache.magic
            bytes.reserveCapacity(capacity * 110 + 100)
            manifest.append(to: &bytes)
            bytes += [UInt8](repeating: 0, count: 8)
        }

        mutating func add(
            _ path: some Collection<UInt8>, stamp: FileStamp, name: ContentName, mode: FileTable.Mode, clock: Int64?
        ) {
            // One that is not to be trusted keeps its content for the question whose it is, but no stamp.
            let isRacy = clock.map { stamp.isRacy(at: $0) } ?? false
            let kept = isRacy && mode != .folder ? FileStamp.unknown : stamp
            for word in [
                UInt64(bitPattern: kept.size), UInt64(bitPattern: kept.modified), UInt64(bitPattern: kept.changed),
                kept.inode,
            ] {
                withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
            }
            name.append(to: &bytes)
            bytes.append(mode.rawValue)
            withUnsafeBytes(of: UInt16(clamping: path.count).littleEndian) { bytes.append(contentsOf: $0) }
            bytes += path
            count += 1
        }

        mutating func write(_ file: FilePath) throws {
            withUnsafeBytes(of: count.littleEndian) { bytes.replaceSubrange(40..<48, with: $0) }
            let digest = Digest.of(bytes)
            bytes += digest.bytes
            let temporary = Files.temporaryName(beside: file)
            try Files.makeDirectory(file.removingLastComponent())
            // Not flushed: a cache that a power cut spoils does not match its digest and is made anew.
            let descriptor = temporary.withPlatformString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
            guard descriptor >= 0 else { throw FileFailure("write", temporary, Errno(rawValue: errno)) }
            let handle = FileDescriptor(rawValue: descriptor)
            do {
                try handle.closeAfter { _ = try handle.writeAll(bytes) }
                try Files.rename(temporary, to: file)
            } catch {
                Files.remove(temporary)
                if let errno = error as? Errno { throw FileFailure("write", file, errno) }
                throw error
            }
        }
    }
}
