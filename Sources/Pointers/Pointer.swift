public import Base

/// Why a blob could not be read as a ``Pointer``.
public enum PointerFailure: Failure, Equatable {
    case notAPointer(path: String)
    case malformed(path: String, line: Int, reason: String)
    /// Conflict markers stand in the pointer.
    case conflict(path: String)

    public var kind: FailureKind {
        switch self {
        case .notAPointer, .conflict: .user
        case .malformed: .corrupt
        }
    }

    public var description: String {
        switch self {
        case .notAPointer(let path): "\(path) is no git-lfs pointer"
        case .malformed(let path, let line, let reason): "\(path): the pointer's line \(line) \(reason)"
        case .conflict(let path): "\(path) has conflict markers where its pointer should be"
        }
    }

    public var hints: [String] {
        switch self {
        case .notAPointer: []
        case .conflict(let path):
            [
                "take one side: `git checkout --ours -- \(shellQuoted(path))` or `--theirs`, then `git add` it"
            ]
        case .malformed(let path, _, _): ["to restore it, run `git checkout HEAD -- \(shellQuoted(path))`"]
        }
    }
}

/// What git stores in place of a large file: its digest and size, in the form of git-lfs.
public struct Pointer: Hashable, Sendable {
    /// A blob that is larger is no pointer.
    public static let maximumLength = 1024
    private static let version = "https://git-lfs.github.com/spec/v1"
    private static let oldVersions = ["http://git-media.io/v/2", "https://hawser.github.com/spec/v1"]

    public let digest: Digest
    /// In bytes.
    public let size: Int64

    public init(digest: Digest, size: Int64) {
        self.digest = digest
        self.size = size
    }

    /// The bytes git stores.
    public var text: String { "version \(Self.version)\noid \(digest)\nsize \(size)\n" }

    /// Reads a pointer from the bytes git stores for `path`.
    ///
    /// The format is that of Git LFS: UTF-8 lines `key value`, `version` first, the others in alphabetical order.
    /// Unknown keys are no error, so that newer writers stay readable. Throws ``PointerFailure/notAPointer(path:)``
    /// when the first line is no `version` line, so that a caller can store the file as it is.
    public static func parse(_ bytes: [UInt8], path: String) throws(PointerFailure) -> Pointer {
        guard bytes.count <= maximumLength, bytes.starts(with: "version ".utf8),
            let text = String(validating: bytes, as: UTF8.self)
        else { throw .notAPointer(path: path) }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last == "" { lines.removeLast() }
        guard let first = lines.first, ([version] + oldVersions).contains(String(first.dropFirst(8))) else {
            throw .notAPointer(path: path)
        }
        var digest: Digest?
        var size: Int64?
        var last = ""
        for (i, line) in lines.enumerated().dropFirst() {
            func malformed(_ reason: String) -> PointerFailure { .malformed(path: path, line: i + 1, reason: reason) }
            guard let space = line.firstIndex(of: " ") else { throw malformed("lacks a value") }
            let key = String(line[..<space])
            let value = line[line.index(after: space)...]
            guard last.utf8.lexicographicallyPrecedes(key.utf8) else { throw malformed("is out of order") }
            last = key
            switch key {
            case "oid":
                guard value.hasPrefix("sha256:"), let oid = Digest(value) else {
                    throw malformed("needs oid sha256:<64 hex digits>")
                }
                digest = oid
            case "size":
                guard value.utf8.allSatisfy({ (48...57).contains($0) }), let bytes = Int64(value) else {
                    throw malformed("needs size <bytes>")
                }
                size = bytes
            default: break
            }
        }
        guard let digest else { throw .malformed(path: path, line: lines.count + 1, reason: "needs oid") }
        guard let size else { throw .malformed(path: path, line: lines.count + 1, reason: "needs size") }
        return Pointer(digest: digest, size: size)
    }

    /// Whether a small file is two pointers in conflict that nobody has decided between: it must not become content.
    static func isConflict(_ bytes: [UInt8]) -> Bool {
        // Asked of every small file: what begins otherwise is looked at no further.
        guard bytes.count <= 4 * maximumLength,
            bytes.starts(with: "version ".utf8) || bytes.starts(with: "<<<<<<< ".utf8)
        else { return false }
        let marks = ["<<<<<<< ", "=======", ">>>>>>> "]
        let lines = bytes.split(separator: 0x0a)
        return marks.allSatisfy { mark in lines.contains { $0.starts(with: mark.utf8) } }
            && lines.contains { $0.elementsEqual("version \(version)".utf8) || $0.starts(with: "oid sha256:".utf8) }
    }
}
