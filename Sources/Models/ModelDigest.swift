public import Base
public import GitKit
internal import Pointers

extension Repository {
    /// The digest of what a path holds at a commit: what its pointer names, or the bytes that git keeps; nil when no file is
    /// there.
    public func content(_ path: String, at commit: ObjectID) throws -> Digest? {
        guard let bytes = try file(path, in: commit) else { return nil }
        return try Self.content(bytes, path)
    }

    /// The digest that stands for a model at a commit; nil when nothing is at the path.
    ///
    /// A file's is that of its content. A folder's is the SHA-256 of what `sha256sum` prints of its files, sorted by path:
    /// `<hex>  <path in the folder>` a line.
    public func modelDigest(_ path: String, at commit: ObjectID) throws -> Digest? {
        guard let entry = try entry(path, in: commit) else { return nil }
        guard entry.mode == .directory else { return try content(path, at: commit) }
        var lines: [(path: String, hex: String)] = []
        try walk(entry.id) { path, entry in
            guard [.file, .executable].contains(entry.mode) else { return }
            lines.append((path, try Self.content(blob(entry.id), path).hex))
        }
        lines.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        return Digest.of(lines.map { "\($0.hex)  \($0.path)\n" }.joined())
    }

    private static func content(_ bytes: [UInt8], _ path: String) throws -> Digest {
        do {
            return try Pointer.parse(bytes, path: path).digest
        } catch PointerFailure.notAPointer {
            return Digest.of(bytes)
        }
    }
}
