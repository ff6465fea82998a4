internal import Base
internal import Storage
internal import SystemPackage

/// Contents of datasets as read-only files that files in work trees are links to: `<common>/ml/cache/unpacked`.
///
/// What hard links name stays when this is deleted; what symbolic links lead to comes back with the next checkout.
struct Unpacked: Sendable {
    /// What stands where a symbolic link leads.
    enum Target {
        /// A link of the user's own.
        case other
        /// A link of ours to nothing, or into another repository.
        case gone
        case file(stat)
    }

    private static let folder = ["ml", "cache", "unpacked"]
    let store: ContentStore

    init(beside objects: ContentStore) {
        let root = objects.root.removingLastComponent().appending("cache").appending("unpacked")
        let full = root.isAbsolute ? root : (Files.currentDirectory() ?? root).pushing(root)
        store = ContentStore(full, isShared: objects.isShared)
    }

    func path(of name: ContentName) -> FilePath { store.path(of: name.digest) }

    // MARK: Links

    /// The name of the content that a link of ours, or of another repository's, is for.
    private static func name(_ target: String) -> ContentName? {
        let parts = target.split(separator: "/", omittingEmptySubsequences: false)
        guard target.hasPrefix("/"), parts.count > 6, let hex = parts.last, hex.utf8.count == 64,
            let digest = Digest(hex),
            parts.dropLast(3).suffix(3).elementsEqual(folder, by: { $0 == $1 }),
            parts.dropLast().suffix(2).joined() == hex.prefix(4)
        else { return nil }
        return ContentName(digest)
    }

    /// What a link of the work tree leads to; `name` lies in the folder that `folder` is open on.
    func target(_ folder: Int32, _ name: [CChar]) -> Target {
        guard let text = Self.text(folder, name), let content = Self.name(text) else { return .other }
        var info = stat()
        guard text == path(of: content).string, text.withCString({ lstat($0, &info) }) == 0,
            info.st_mode & S_IFMT == S_IFREG
        else { return .gone }
        return .file(info)
    }

    /// The same for a path.
    func target(_ path: FilePath) -> Target {
        target(AT_FDCWD, path.withPlatformString { Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1)) })
    }

    /// Opens the content that a link of ours leads to; negative for any other link.
    func open(_ folder: Int32, _ name: [CChar]) -> Int32 {
        guard case .file = target(folder, name), let text = Self.text(folder, name) else { return -1 }
        return text.withCString { posixOpen($0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) }
    }

    private static func text(_ folder: Int32, _ name: [CChar]) -> String? {
        var target = [CChar](repeating: 0, count: 4097)
        let count = readlinkat(folder, name, &target, 4096)
        return count > 0 ? String(validating: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }

    /// Whether hard links can lead from a folder to here.
    func isOnFileSystem(of place: FilePath) -> Bool {
        func device(_ path: FilePath) -> dev_t? {
            var path = path
            var info = stat()
            while path.withPlatformString({ stat($0, &info) }) != 0 {
                guard path.removeLastComponent() else { return nil }
            }
            return info.st_dev
        }
        return device(place) == device(store.root)
    }

    // MARK: Content

    /// Whether a content lies here as it was written.
    ///
    /// Its modification time carries a mark of its name below the second: what somebody wrote through a link has another. On
    /// a file system of whole seconds none counts as intact, and each checkout makes what it needs anew.
    func isIntact(_ name: ContentName, size: Int64) -> Bool {
        var info = stat()
        guard path(of: name).withPlatformString({ lstat($0, &info) }) == 0, info.st_mode & S_IFMT == S_IFREG else {
            return false
        }
        return Int64(info.st_size) == size && info.st_mode & 0o333 == 0
            && FileStamp(info).modified % 1_000_000_000 == Self.mark(name)
    }

    /// The contents of before a time that are intact and have no other name, with their sizes in bytes.
    func unlinked(olderThan time: Timestamp) throws -> [ContentName: Int64] {
        var found: [ContentName: Int64] = [:]
        for digest in try store.all() {
            let name = ContentName(digest)
            var info = stat()
            guard path(of: name).withPlatformString({ lstat($0, &info) }) == 0, info.st_nlink == 1,
                isIntact(name, size: Int64(info.st_size)),
                Timestamp(microseconds: FileStamp(info).modified / 1000) < time
            else { continue }
            found[name] = Int64(info.st_size)
        }
        return found
    }

    private static func mark(_ name: ContentName) -> Int64 { Int64(name.prefix % 999_999_999) + 1 }

    /// Makes a content's file, which `write` fills and verifies; returns where it lies.
    func make(_ name: ContentName, size: Int64, _ write: (FileHandle) throws -> Void) throws -> FilePath {
        let file = path(of: name)
        if isIntact(name, size: size) { return file }
        // What somebody has written here through a link may be all that there is of their work.
        // Another thread that finds it may be quicker.
        if (try? store.isWhole(name.digest)) == false { _ = try? store.quarantine(name.digest) }
        let temporary = try store.folder("incoming").appending("\(UUIDv7())")
        let descriptor = temporary.withPlatformString { posixCreate($0, 0o444) }
        guard descriptor >= 0 else { throw FileFailure("write", temporary, Errno(rawValue: errno)) }
        let handle = FileHandle(descriptor)
        do {
            try write(handle)
            if store.isShared { fchmod(descriptor, 0o444) }
            // A second ago at least, so that the mark lies in no future.
            let time = timespec(
                tv_sec: time_t(FileStamp.now() / 1_000_000_000 - 1), tv_nsec: Int(Self.mark(name)))
            guard futimens(descriptor, [time, time]) == 0 else {
                throw FileFailure("write", temporary, Errno(rawValue: errno))
            }
            let hex = name.hex
            _ = try store.folder(String(hex.prefix(2)) + "/" + String(hex.dropFirst(2).prefix(2)))
            // Another thread or process may have made it meanwhile, and linked to it.
            if temporary.withPlatformString({ a in file.withPlatformString { b in link(a, b) } }) == 0
                || isIntact(name, size: size)
            {
                Files.remove(temporary)
            } else {
                try Files.rename(temporary, to: file)
            }
            return file
        } catch {
            Files.remove(temporary)
            throw error
        }
    }

    /// Makes what was written here last.
    func flush() { if !Files.flushFileSystem(of: store.root) { Files.flush(store.root) } }
}

/// A new file, for writing.
private func posixCreate(_ path: UnsafePointer<CChar>, _ mode: mode_t) -> Int32 {
    open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
}
