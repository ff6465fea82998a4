internal import Base
internal import SystemPackage

/// `<store>/incoming/<oid>.part`: content that has not all come yet, held by one process at a time.
///
/// What an interrupted command leaves is continued by the next one. The kernel frees the lock when a process dies.
final class PartialFile: Sendable {
    let path: FilePath
    private let file: FileDescriptor

    private init(_ path: FilePath, _ file: FileDescriptor) {
        self.path = path
        self.file = file
    }

    deinit { try? file.close() }

    /// Opens that of a content or makes it; nil while another has it.
    static func ifFree(_ name: String, in store: ContentStore) throws -> PartialFile? {
        let path = try store.folder("incoming").appending(name)
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec, .noFollow],
                permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite])
        } catch let errno as Errno {
            throw FileFailure("write", path, errno)
        }
        // Another user goes on with what one has left.
        store.share(path, 0o060)
        let part = PartialFile(path, file)
        // The one who had it may have put it in place or thrown it away between our opening and our locking.
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0, part.stands else { return nil }
        return part
    }

    private var stands: Bool {
        var own = stat()
        var named = stat()
        return fstat(file.rawValue, &own) == 0 && path.withPlatformString { lstat($0, &named) } == 0
            && own.st_ino == named.st_ino && own.st_dev == named.st_dev
    }

    var size: Int64 {
        var own = stat()
        return fstat(file.rawValue, &own) == 0 ? Int64(own.st_size) : 0
    }

    func empty() throws {
        guard ftruncate(file.rawValue, 0) == 0 else { throw FileFailure("write", path, Errno(rawValue: errno)) }
    }

    func flush() throws {
        guard fsync(file.rawValue) == 0 else { throw FileFailure("flush", path, Errno(rawValue: errno)) }
    }
}
