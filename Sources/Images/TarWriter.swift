internal import Base
internal import SystemPackage

/// Writes a tar archive whose bytes follow from names and contents alone (POSIX.1-2001 pax where needed).
///
/// Entries sorted by their bytes, every parent directory present, owner 0:0, one time for all, no padding to 10 KiB.
struct TarWriter {
    private static let block = 512
    private let time: Timestamp
    private let write: (UnsafeRawBufferPointer) throws -> Void

    init(time: Timestamp, write: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        self.time = time
        self.write = write
    }

    /// Writes the whole archive.
    func archive(_ entries: [LayerEntry]) throws {
        let files = Dictionary(entries.map { ($0.path, $0) }) { $1 }
        guard files.count == entries.count else {
            throw ImageFailure.unusableFile(
                path: entries.map(\.path).joined(separator: ", "), reason: "a name stands twice")
        }
        var directories: Set<String> = []
        for path in files.keys {
            try check(path)
            var parts = path.split(separator: "/").dropLast()
            while !parts.isEmpty, directories.insert(parts.joined(separator: "/") + "/").inserted { parts.removeLast() }
        }
        let names = (Array(directories) + Array(files.keys)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        for name in names {
            if let entry = files[name] { try file(entry) } else { try header(name, size: 0, mode: 0o755, kind: "5") }
        }
        try put([UInt8](repeating: 0, count: 2 * Self.block))
    }

    private func check(_ path: String) throws {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let reason: String? =
            if parts.contains(where: { ["", ".", ".."].contains($0) }) {
                "its name leaves the image"
            } else if parts.contains(where: { $0.hasPrefix(".wh.") }) {
                "names that start with .wh. delete files in images"
            } else if path.utf8.contains(0) { "its name holds a zero byte" } else { nil }
        if let reason { throw ImageFailure.unusableFile(path: path, reason: reason) }
    }

    private func file(_ entry: LayerEntry) throws {
        let mode: UInt32 = entry.isExecutable ? 0o755 : 0o644
        switch entry.source {
        case .bytes(let bytes):
            try header(entry.path, size: Int64(bytes.count), mode: mode, kind: "0")
            try put(bytes)
            try pad(Int64(bytes.count))
        case .file(let source): try file(entry, source, mode: mode) { _ in }
        case .content(let source, let digest):
            var hasher = Digest.Hasher()
            try file(entry, source, mode: mode) { hasher.update($0) }
            guard hasher.finish() == digest else {
                throw ImageFailure.malformed(place: source.string, reason: "its bytes do not match its digest")
            }
        }
    }

    private func file(
        _ entry: LayerEntry, _ source: FilePath, mode: UInt32, _ see: (UnsafeRawBufferPointer) -> Void
    ) throws {
        guard let status = Files.status(source), status.kind == .file else {
            throw ImageFailure.unusableFile(path: source.string, reason: "it is no plain file")
        }
        try header(entry.path, size: status.size, mode: mode, kind: "0")
        var written: Int64 = 0
        try Files.readPieces(of: source) { piece in
            written += Int64(piece.count)
            see(piece)
            try write(piece)
        }
        guard written == status.size else {
            throw ImageFailure.unusableFile(path: source.string, reason: "it changed while it was read")
        }
        try pad(written)
    }

    private func header(_ name: String, size: Int64, mode: UInt32, kind: Character) throws {
        let bytes = Array(name.utf8)
        var pax = ""
        var short = (prefix: ArraySlice<UInt8>(), name: bytes[...])
        let isPlain = bytes.allSatisfy { $0 < 128 }
        if let split = isPlain ? Self.split(bytes) : nil {
            short = split
        } else {
            pax += Self.record("path", name)
            short.name = bytes.filter { $0 < 128 }.prefix(100)
        }
        if size >= 1 << 33 { pax = Self.record("size", String(size)) + pax }
        if !pax.isEmpty {
            let body = Array(pax.utf8)
            try raw(prefix: [], name: Array("PaxHeader".utf8)[...], size: Int64(body.count), mode: 0o644, kind: "x")
            try put(body)
            try pad(Int64(body.count))
        }
        try raw(prefix: short.prefix, name: short.name, size: size >= 1 << 33 ? 0 : size, mode: mode, kind: kind)
    }

    private func raw(prefix: ArraySlice<UInt8>, name: ArraySlice<UInt8>, size: Int64, mode: UInt32, kind: Character)
        throws
    {
        var block = [UInt8](repeating: 0, count: Self.block)
        func set(_ offset: Int, _ bytes: some Collection<UInt8>) {
            block.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
        func octal(_ value: Int64, _ width: Int) -> String.UTF8View {
            let digits = String(value, radix: 8)
            return (String(repeating: "0", count: max(0, width - 1 - digits.count)) + digits).utf8
        }
        set(0, name)
        set(100, octal(Int64(mode), 8))
        set(108, octal(0, 8))
        set(116, octal(0, 8))
        set(124, octal(size, 12))
        set(136, octal(max(0, time.microseconds / 1_000_000), 12))
        set(148, "        ".utf8)
        set(156, [kind.asciiValue ?? 0x30])
        set(257, "ustar\u{0}00".utf8)
        set(345, prefix)
        let sum = block.reduce(0) { $0 + Int64($1) }
        set(148, octal(sum, 7))
        set(154, [0, 0x20])
        try put(block)
    }

    /// A name in at most 155 + 100 bytes, parted at a slash; nil when it does not fit.
    private static func split(_ bytes: [UInt8]) -> (prefix: ArraySlice<UInt8>, name: ArraySlice<UInt8>)? {
        if bytes.count <= 100 { return ([], bytes[...]) }
        for at in bytes.indices where bytes[at] == UInt8(ascii: "/") && at <= 155 && at > 0 {
            let name = bytes[(at + 1)...]
            if name.count <= 100, !name.isEmpty { return (bytes[..<at], name) }
        }
        return nil
    }

    /// `LENGTH KEY=VALUE\n`, the length counting itself.
    private static func record(_ key: String, _ value: String) -> String {
        let rest = " \(key)=\(value)\n"
        var length = rest.utf8.count
        while String(length).utf8.count + rest.utf8.count != length {
            length = String(length).utf8.count + rest.utf8.count
        }
        return "\(length)\(rest)"
    }

    private func pad(_ size: Int64) throws {
        let rest = Int(size % Int64(Self.block))
        if rest > 0 { try put([UInt8](repeating: 0, count: Self.block - rest)) }
    }

    private func put(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }
}
