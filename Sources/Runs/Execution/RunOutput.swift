internal import Base
internal import SystemPackage

/// What a program prints: passed on as it comes, and kept in a file with secrets masked.
///
/// Lines are kept whole, so that a secret is not cut in two; a line of more than 64 KiB is cut all the same. The file
/// stops growing at ``limit`` bytes, with a last line that says so.
final class RunOutput {
    private let file: FileDescriptor?
    private let limit: Int
    private let secrets: [[UInt8]]
    /// Where standard output goes; standard error stays what it is.
    private let target: FileDescriptor
    private var written = 0
    private var isFull = false
    /// The beginnings of lines: of standard output, and of standard error.
    private var rests: [[UInt8]] = [[], []]
    private var piece = [UInt8](repeating: 0, count: 1 << 16)

    init(_ path: FilePath, limit: Int, secrets: [String], to target: FileDescriptor) throws {
        file = try? FileDescriptor.open(
            path, .writeOnly, options: [.create, .append, .closeOnExec], permissions: [.ownerReadWrite, .groupRead])
        self.limit = limit
        self.secrets = secrets.map { Array($0.utf8) }
        self.target = target
    }

    deinit { try? file?.close() }

    /// Passes on what can be read; false when the pipe has ended.
    func pass(from descriptor: Int32, isError: Bool) -> Bool {
        let count = piece.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        if count < 0 { return errno == EINTR || errno == EAGAIN }
        if count == 0 { return false }
        // Nobody may be reading any more: the program goes on all the same.
        _ = try? (isError ? FileDescriptor.standardError : target).writeAll(piece[..<count])
        keep(piece[..<count], isError ? 1 : 0)
        return true
    }

    /// Writes what was left of lines without an end.
    func finish() {
        for i in rests.indices {
            write(rests[i])
            rests[i] = []
        }
    }

    private func keep(_ bytes: ArraySlice<UInt8>, _ stream: Int) {
        guard !isFull else { return }
        rests[stream] += bytes
        let end =
            rests[stream].lastIndex(of: 0x0a).map { $0 + 1 }
            ?? (rests[stream].count > 1 << 16 ? rests[stream].count : 0)
        if end == 0 { return }
        write(Array(rests[stream][..<end]))
        rests[stream].removeFirst(end)
    }

    private func write(_ bytes: [UInt8]) {
        guard let file, !isFull, !bytes.isEmpty else { return }
        let masked = Secrets.masked(bytes: bytes, values: secrets)
        if written + masked.count > limit {
            isFull = true
            _ = try? file.writeAll(
                "git-ml: the log is longer than \(ByteCount.format(Int64(limit))); the rest was not kept\n".utf8)
            return
        }
        written += masked.count
        _ = try? file.writeAll(masked)
    }
}
