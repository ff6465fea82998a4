internal import Base
internal import SystemPackage

// MARK: - Whole files

extension SFTPSession {
    /// What every server takes in one packet, and how many of them may be on their way.
    private static let piece = 32 << 10
    private static let window = 64
    /// How much of what an interrupted upload left is sent again: its end may not have reached the disk.
    private static let distrusted: Int64 = 1 << 20

    private static let reading: UInt32 = 1
    private static let writing: UInt32 = 2
    private static let creating: UInt32 = 8

    /// Sends a file to `path`, going on where an earlier try has stopped, and flushes it.
    ///
    /// Two that send the same content write the same bytes to the same places, so they do not disturb each other.
    func upload(_ file: FilePath, size: Int64, to path: String, progress: (Int64) -> Void) throws {
        let handle = try handle(open(path, flags: Self.writing | Self.creating))
        do {
            var offset: Int64 = 0
            if size > Self.distrusted {
                let there = try self.size(request(SFTPKind.fstat) { $0.put(handle) }) ?? 0
                if there <= size { offset = max(0, there - Self.distrusted) }
                if offset > 0 { progress(offset) }
            }
            try write(file, from: offset, size: size, to: handle, progress)
            // What was there before may have been longer.
            let cut = request(SFTPKind.fsetstat) {
                $0.put(handle)
                $0.put(UInt32(1))
                $0.put(UInt64(size))
            }
            let flush = extensions.contains("fsync@openssh.com") ? self.flush(handle) : nil
            let closed = close(handle)
            try done(cut)
            if let flush { try done(flush) }
            try done(closed)
        } catch let refusal as Refusal {
            _ = close(handle)
            throw refusal
        }
    }

    private func flush(_ handle: [UInt8]) -> UInt32 {
        request(SFTPKind.extended) {
            $0.put("fsync@openssh.com")
            $0.put(handle)
        }
    }

    private func write(
        _ file: FilePath, from start: Int64, size: Int64, to handle: [UInt8], _ progress: (Int64) -> Void
    ) throws {
        let source: FileDescriptor
        do { source = try FileDescriptor.open(file, .readOnly, options: .closeOnExec) } catch let errno as Errno {
            throw FileFailure("read", file, errno)
        }
        defer { try? source.close() }
        var waiting: [(id: UInt32, count: Int)] = []
        func take(_ count: Int) throws {
            for item in waiting.prefix(count) {
                try done(item.id)
                progress(Int64(item.count))
            }
            waiting.removeFirst(min(count, waiting.count))
        }
        var offset = start
        var piece = [UInt8](repeating: 0, count: Self.piece)
        while offset < size {
            let wanted = Int(min(Int64(Self.piece), size - offset))
            let count: Int
            do {
                count = try piece.withUnsafeMutableBytes {
                    try source.read(fromAbsoluteOffset: offset, into: .init(rebasing: $0[..<wanted]))
                }
            } catch let errno as Errno { throw FileFailure("read", file, errno) }
            guard count > 0 else { throw FileFailure("read", file, .ioError) }
            let id = request(SFTPKind.write) {
                $0.put(handle)
                $0.put(UInt64(offset))
                $0.put(count == piece.count ? piece : Array(piece[..<count]))
            }
            waiting.append((id, count))
            offset += Int64(count)
            if waiting.count >= Self.window { try take(Self.window / 2) }
        }
        try take(waiting.count)
    }

    /// Brings what `file` lacks of the file at `path`, which has `size` bytes.
    func download(_ path: String, to file: FilePath, size: Int64, progress: (Int64) -> Void) throws {
        let target: FileDescriptor
        let start: Int64
        do {
            target = try FileDescriptor.open(
                file, .writeOnly, options: [.create, .closeOnExec],
                permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite])
            start = try target.seek(offset: 0, from: .end)
        } catch let errno as Errno { throw FileFailure("write", file, errno) }
        defer { try? target.close() }
        try read(path, min(start, size)..<size) { bytes, offset in
            do { try target.writeAll(toAbsoluteOffset: offset, bytes) } catch let errno as Errno {
                throw FileFailure("write", file, errno)
            }
            progress(Int64(bytes.count))
        }
    }

    /// Gives a stretch of the file at `path` to `put`, in pieces from its start to its end, each with its place in the file.
    func read(_ path: String, _ range: Range<Int64>, _ put: (_ bytes: [UInt8], _ offset: Int64) throws -> Void) throws {
        let handle = try handle(open(path, flags: Self.reading))
        var waiting: [(id: UInt32, offset: Int64, count: Int)] = []
        var offset = range.lowerBound
        var next = offset
        while offset < range.upperBound {
            while next < range.upperBound, waiting.count < Self.window {
                let count = Int(min(Int64(Self.piece), range.upperBound - next))
                let id = request(SFTPKind.read) {
                    $0.put(handle)
                    $0.put(UInt64(next))
                    $0.put(UInt32(count))
                }
                waiting.append((id, next, count))
                next += Int64(count)
            }
            let item = waiting.removeFirst()
            var answer = try answer(item.id)
            guard answer.kind == SFTPKind.data, let bytes = answer.body.string(), bytes.count <= item.count,
                !bytes.isEmpty
            else {
                for other in waiting { _ = try self.answer(other.id) }
                _ = close(handle)
                guard answer.kind == SFTPKind.status, let refusal = refusal(answer.body), refusal.code != 1 else {
                    // The end, before it should come.
                    throw Refusal(code: 1, message: "the file there ends after \(offset) of \(range.upperBound) bytes")
                }
                throw refusal
            }
            try put(Array(bytes), offset)
            offset += Int64(bytes.count)
            if bytes.count < item.count {
                // Fewer than asked for: what was asked for after them does not fit any more.
                for other in waiting { _ = try self.answer(other.id) }
                waiting = []
                next = offset
            }
        }
        try done(close(handle))
    }
}
