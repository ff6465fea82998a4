internal import Base
internal import SystemPackage

/// The files of a folder `objects` in which git keeps an object each.
struct LooseObjects {
    let folder: FilePath

    /// Up to here, flushing files one by one is cheaper than everything that the file system holds back.
    private static let few = 64

    private func path(_ id: ObjectID) -> FilePath {
        folder.appending(String(id.hex.prefix(2))).appending(String(id.hex.dropFirst(2)))
    }

    func contains(_ id: ObjectID) -> Bool { Files.exists(path(id)) }

    /// Flushes objects to the disk; those that lie in a pack are there already.
    func flush(_ ids: [ObjectID]) throws {
        guard ids.count <= Self.few else { return try flushAll() }
        let loose = ids.filter { contains($0) }
        if loose.isEmpty { return }
        // At once: the file system then writes them together.
        let folders = Set(loose.map { path($0).removingLastComponent() }).union([folder])
        let paths = loose.map { path($0) } + folders
        try Threads.forEach(paths.count, width: 16) { try Self.flush(paths[$0]) }
    }

    private static func flush(_ path: FilePath) throws {
        // One that has just been packed is on the disk already.
        guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else { return }
        defer { try? file.close() }
        // Some file systems cannot flush a folder.
        guard fsync(file.rawValue) == 0 || errno == EINVAL else {
            throw FileFailure("flush", path, Errno(rawValue: errno))
        }
    }

    private func flushAll() throws {
        #if os(Linux)
        let handle = try FileDescriptor.open(folder, .readOnly, options: .closeOnExec)
        defer { try? handle.close() }
        guard syncFileSystem(handle.rawValue) == 0 else { throw FileFailure("flush", folder, Errno(rawValue: errno)) }
        #else
        sync()
        #endif
    }
}

#if os(Linux)
/// `syncfs(2)`, which glibc shows only to programs that define `_GNU_SOURCE`.
@_silgen_name("syncfs")
private func syncFileSystem(_ descriptor: Int32) -> Int32
#endif
