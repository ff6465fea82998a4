public import SystemPackage

/// An exclusive lock on a file, held by this process until the value goes; the kernel frees it when a process dies.
///
/// Advisory `flock(2)`: no stale lock can stay behind. The lock file itself is never removed, because removing it
/// would let two processes hold locks on two files of one name.
public struct FileLock: ~Copyable {
    private let file: FileDescriptor

    private init(file: FileDescriptor) { self.file = file }

    /// Waits for the lock.
    public static func wait(_ path: FilePath) throws -> FileLock {
        let file = try open(path)
        while flock(file.rawValue, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let error = Errno(rawValue: errno)
                try? file.close()
                throw FileFailure("lock", path, error)
            }
        }
        return FileLock(file: file)
    }

    /// Takes the lock if nobody has it; nil otherwise.
    public static func ifFree(_ path: FilePath) throws -> FileLock? {
        let file = try open(path)
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            try? file.close()
            return nil
        }
        return FileLock(file: file)
    }

    deinit { try? file.close() }

    private static func open(_ path: FilePath) throws -> FileDescriptor {
        try Files.makeDirectory(path.removingLastComponent())
        do {
            return try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
        } catch let errno as Errno {
            throw FileFailure("lock", path, errno)
        }
    }

    /// Runs `body` while holding the lock.
    public static func with<T>(_ path: FilePath, _ body: () throws -> T) throws -> T {
        let lock = try FileLock.wait(path)
        defer { extendLifetime(lock) }
        return try body()
    }
}
