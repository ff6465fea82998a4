public import Base
public import SystemPackage

extension ContentStore {
    /// A store that is the group's where the folder is, or the one that it will be made in: setgid and writable for the group.
    public static func inheriting(_ root: FilePath) -> ContentStore {
        var folder = root
        while Files.status(folder) == nil, folder != folder.removingLastComponent() {
            folder = folder.removingLastComponent()
        }
        return ContentStore(root, isShared: (Files.status(folder)?.mode ?? 0) & 0o2020 == 0o2020)
    }

    /// A folder of the store's own beside its content, such as `incoming`; it is made when it lacks.
    public func folder(_ name: String) throws -> FilePath {
        let folder = root.appending(name)
        try makeDirectory(folder)
        return folder
    }

    /// Gives a file of the same file system, whole and flushed, its name in the store; it lasts when this returns.
    public func adopt(_ file: FilePath, as digest: Digest) throws {
        let target = path(of: digest)
        try makeDirectory(target.removingLastComponent())
        share(file, 0o060)
        try Files.rename(file, to: target)
        Files.flush(target.removingLastComponent())
    }
}
