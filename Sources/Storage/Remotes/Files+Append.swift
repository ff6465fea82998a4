internal import Base
internal import SystemPackage

extension Files {
    /// Makes `target` the same as `source`, whose first bytes it may have already: a reflink where the file system can,
    /// else the missing end is copied.
    static func append(contentsOf source: FilePath, to target: FilePath, progress: (Int64) -> Void) throws {
        let from = try openFile(source, .readOnly, [], "read")
        try from.closeAfter {
            let to = try openFile(target, .writeOnly, [.create], "write")
            try to.closeAfter {
                let start = try attempt("write", target) { try to.seek(offset: 0, from: .end) }
                #if os(Linux)
                let ficlone: UInt = 0x4004_9409
                if start == 0, ioctl(to.rawValue, ficlone, from.rawValue) == 0 {
                    return progress(status(target)?.size ?? 0)
                }
                #endif
                var offset = start
                let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
                defer { piece.deallocate() }
                while true {
                    let count = try attempt("read", source) {
                        try from.read(fromAbsoluteOffset: offset, into: piece)
                    }
                    if count == 0 { return }
                    _ = try attempt("write", target) {
                        try to.writeAll(UnsafeRawBufferPointer(rebasing: piece[..<count]))
                    }
                    offset += Int64(count)
                    progress(Int64(count))
                }
            }
        }
    }

    private static func openFile(
        _ path: FilePath, _ mode: FileDescriptor.AccessMode, _ options: FileDescriptor.OpenOptions, _ action: String
    ) throws -> FileDescriptor {
        try attempt(action, path) {
            try FileDescriptor.open(
                path, mode, options: options.union(.closeOnExec),
                permissions: options.contains(.create)
                    ? [.ownerReadWrite, .groupReadWrite, .otherReadWrite] : nil)
        }
    }

    private static func attempt<T>(_ action: String, _ path: FilePath, _ body: () throws -> T) throws -> T {
        do { return try body() } catch let errno as Errno { throw FileFailure(action, path, errno) }
    }
}

extension Files {
    /// Gives a part of a file to `body` in pieces of at most 1 MiB; a file that ends before is an error.
    static func readPieces(
        of path: FilePath, from start: Int64, count: Int64, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let file = try openFile(path, .readOnly, [], "read")
        try file.closeAfter {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
            defer { buffer.deallocate() }
            var done: Int64 = 0
            while done < count {
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(1 << 20, count - done))])
                let got = try attempt("read", path) {
                    try file.read(fromAbsoluteOffset: start + done, into: piece)
                }
                guard got > 0 else { throw FileFailure("read", path, .ioError) }
                try body(UnsafeRawBufferPointer(rebasing: piece[..<got]))
                done += Int64(got)
            }
        }
    }
}
