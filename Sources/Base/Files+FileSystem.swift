public import SystemPackage

extension Files {
    /// Flushes all that was written to the file system of a file; false where that cannot be done.
    public static func flushFileSystem(of path: FilePath) -> Bool {
        // Linux only, and not in the C library that Swift sees.
        guard let symbol = dlsym(nil, "syncfs"), let file = try? FileDescriptor.open(path, .readOnly) else {
            return false
        }
        defer { try? file.close() }
        return unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)(file.rawValue) == 0
    }
}
