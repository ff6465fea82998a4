internal import Base
public import SystemPackage

/// A directory for one test; removed when the value goes.
public final class TemporaryDirectory: Sendable {
    public let path: FilePath

    public init() throws {
        let base = environmentValue("TMPDIR") ?? "/tmp"
        path = FilePath(base).appending("git-ml-test-\(UUIDv7())")
        try Files.makeDirectory(path)
    }

    deinit { try? Files.removeTree(path) }

    /// Writes a file below the directory and returns its path.
    @discardableResult
    public func write(_ name: String, _ text: String, mode: UInt32? = nil) throws -> FilePath {
        let file = path.appending(FilePath(name).components)
        try Files.replace(file, with: text.utf8, mode: mode)
        return file
    }
}
