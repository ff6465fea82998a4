internal import Base
internal import SystemPackage

/// A tar archive whose bytes follow from names and contents alone, described but not made.
///
/// Entries sorted by their bytes, every parent directory present, two zero blocks at the end and no padding to 10 KiB.
struct TarArchive: Sendable {
    /// What stands somewhere in the archive: bytes of the form, or one entry's content.
    struct Piece: Sendable {
        enum Kind: Sendable {
            case form([UInt8])
            case content(LayerEntry)
        }
        let start: Int64
        let kind: Kind
    }

    let pieces: [Piece]
    /// In bytes.
    let size: Int64

    init(_ entries: [LayerEntry], time: Timestamp) throws {
        let files = Dictionary(entries.map { ($0.path, $0) }) { $1 }
        guard files.count == entries.count else {
            let twice = Dictionary(grouping: entries, by: \.path).filter { $0.value.count > 1 }.keys.sorted()
            throw ImageFailure.unusableFile(path: twice.joined(separator: ", "), reason: "the name stands twice")
        }
        var directories: Set<String> = []
        for path in files.keys {
            try Self.check(path)
            var parts = path.split(separator: "/").dropLast()
            while !parts.isEmpty, directories.insert(parts.joined(separator: "/") + "/").inserted { parts.removeLast() }
        }
        if let path = files.keys.filter({ directories.contains($0 + "/") }).min() {
            throw ImageFailure.unusableFile(path: path, reason: "it is a file and a folder")
        }
        let names = (Array(directories) + Array(files.keys)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        var layout = Layout()
        for name in names {
            if let entry = files[name] {
                let mode: UInt32 = entry.isExecutable ? 0o755 : 0o644
                layout.add(TarHeader(name: name, size: entry.size, mode: mode, kind: "0", time: time).bytes)
                layout.add(entry)
                layout.add([UInt8](repeating: 0, count: TarHeader.padding(entry.size)))
            } else {
                layout.add(TarHeader(name: name, size: 0, mode: 0o755, kind: "5", time: time).bytes)
            }
        }
        layout.add([UInt8](repeating: 0, count: 2 * TarHeader.block))
        layout.close()
        pieces = layout.pieces
        size = layout.size
    }

    /// Puts pieces one behind the other; bytes of the form that follow one another are one piece.
    private struct Layout {
        var pieces: [Piece] = []
        var size: Int64 = 0
        private var waiting: [UInt8] = []

        mutating func add(_ bytes: [UInt8]) { waiting += bytes }

        mutating func add(_ entry: LayerEntry) {
            guard entry.size > 0 else { return }
            close()
            pieces.append(Piece(start: size, kind: .content(entry)))
            size += entry.size
        }

        mutating func close() {
            guard !waiting.isEmpty else { return }
            pieces.append(Piece(start: size, kind: .form(waiting)))
            size += Int64(waiting.count)
            waiting = []
        }
    }

    private static func check(_ path: String) throws {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let reason: String? =
            if parts.contains(where: { ["", ".", ".."].contains($0) }) {
                "its name leaves the image"
            } else if parts.contains(where: { $0.hasPrefix(".wh.") }) {
                "names that start with .wh. delete files in images"
            } else if path.utf8.contains(0) { "its name holds a zero byte" } else { nil }
        if let reason { throw ImageFailure.unusableFile(path: path, reason: reason) }
    }

    // MARK: Reading

    /// Gives the whole archive in pieces of at most 1 MiB, and makes sure that contents are what they should be.
    func readPieces(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        for piece in pieces {
            switch piece.kind {
            case .form(let bytes): try bytes.withUnsafeBytes { try body($0) }
            case .content(let entry): try Self.read(entry, body)
            }
        }
    }

    private static func read(_ entry: LayerEntry, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var count: Int64 = 0
        func take(_ piece: UnsafeRawBufferPointer) throws {
            count += Int64(piece.count)
            guard count <= entry.size else { throw changed(entry) }
            try body(piece)
        }
        switch entry.source {
        case .bytes(let bytes): try bytes.withUnsafeBytes { try take($0) }
        case .object(_, let read): try read().withUnsafeBytes { try take($0) }
        case .file(let path, _):
            try checkPlain(path)
            try Files.readPieces(of: path, take)
        case .content(let path, let digest, _):
            try checkPlain(path)
            var hasher = Digest.Hasher()
            try Files.readPieces(of: path) { piece in
                hasher.update(piece)
                try take(piece)
            }
            guard hasher.finish() == digest else {
                throw ImageFailure.malformed(place: path.string, reason: "its bytes do not match its digest")
            }
        }
        guard count == entry.size else { throw changed(entry) }
    }

    static func checkPlain(_ path: FilePath) throws {
        guard let status = Files.status(path) else { throw FileFailure("read", path, .noSuchFileOrDirectory) }
        guard status.kind == .file else {
            throw ImageFailure.unusableFile(path: path.string, reason: "it is no plain file")
        }
    }

    static func changed(_ entry: LayerEntry) -> ImageFailure {
        .unusableFile(path: entry.place, reason: "it changed while it was packed")
    }

    /// The piece in which an offset lies.
    func piece(at offset: Int64) -> Piece {
        var (low, high) = (0, pieces.count - 1)
        while low < high {
            let middle = (low + high + 1) / 2
            if pieces[middle].start <= offset { low = middle } else { high = middle - 1 }
        }
        return pieces[low]
    }
}
