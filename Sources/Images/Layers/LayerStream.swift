internal import Base
internal import Gzip
internal import Synchronization
internal import SystemPackage
internal import Transport

/// A layer's bytes, made while they are sent: no file of a model's size is written for it.
///
/// What goes out is what was hashed before as long as nobody changes the files; the place that gets it checks the digest.
final class LayerStream: BodyStream {
    let size: Int64
    private let archive: TarArchive
    /// The form and its checksum; nil for a plain archive.
    private let gzip: (form: StoredGzip, crc: UInt32)?
    private let open = Mutex(Open())

    /// The content that was read last, kept open for what follows in it.
    private struct Open {
        var start: Int64 = -1
        var file: FileDescriptor?
        var bytes: [UInt8] = []
    }

    init(_ archive: TarArchive, crc: UInt32?) {
        self.archive = archive
        gzip = crc.map { (StoredGzip(contentSize: archive.size), $0) }
        size = gzip?.form.size ?? archive.size
    }

    deinit { open.withLock { try? $0.file?.close() } }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        // The buffer stays the caller's; the lock only keeps one call at a time.
        nonisolated(unsafe) let buffer = buffer
        return try open.withLock { open in
            guard let gzip else { return try read(offset, buffer, &open) }
            return try gzip.form.read(at: offset, into: buffer, crc: gzip.crc) { try read($0, $1, &open) }
        }
    }

    private func read(_ offset: Int64, _ buffer: UnsafeMutableRawBufferPointer, _ open: inout Open) throws -> Int {
        guard offset < archive.size else { return 0 }
        let piece = archive.piece(at: offset)
        let inside = offset - piece.start
        switch piece.kind {
        case .form(let bytes): return Self.copy(bytes, inside, buffer)
        case .content(let entry):
            try use(entry, piece.start, &open)
            let count = Int(min(Int64(buffer.count), entry.size - inside))
            guard let file = open.file else { return Self.copy(open.bytes, inside, buffer) }
            let got = try file.read(fromAbsoluteOffset: inside, into: .init(rebasing: buffer[..<count]))
            guard got > 0 else { throw TarArchive.changed(entry) }
            return got
        }
    }

    private static func copy(_ bytes: [UInt8], _ inside: Int64, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        let part = bytes[Int(inside)...].prefix(buffer.count)
        buffer.copyBytes(from: part)
        return part.count
    }

    private func use(_ entry: LayerEntry, _ start: Int64, _ open: inout Open) throws {
        guard open.start != start else { return }
        try? open.file?.close()
        open = Open(start: start)
        switch entry.source {
        case .bytes(let bytes): open.bytes = bytes
        case .object(_, let read): open.bytes = try read()
        case .file(let path, _), .content(let path, _, _):
            try TarArchive.checkPlain(path)
            do { open.file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec) } catch let errno as Errno
            {
                throw FileFailure("read", path, errno)
            }
        }
        guard open.file != nil || Int64(open.bytes.count) == entry.size else { throw TarArchive.changed(entry) }
    }
}
