internal import Base
public import Storage

/// What git stores of a dataset: `NAME.dataset` beside the folder or file NAME, which git ignores.
///
/// The format exists because no other fits: git-lfs has one pointer a file, DVC's `.dir` is one JSON text that is sent
/// whole after each change, and neither shares what two versions of a file have in common.
///
/// ## The pointer
/// UTF-8 text, exactly these lines in this order, each ended by one newline:
///
///     git-ml-dataset 1
///     kind folder                      or: kind file
///     files 20000                      files and links, not empty folders
///     manifest sha256:<64 hex>         the root of the manifest
///     manifest-size 7312               bytes of that root
///     size 81920000                    bytes of all files
///
/// ## The root
/// A content object of text lines, nothing in it depends on the machine or the time:
///
///     git-ml-manifest 1
///     pack <64 hex> <bytes>            packs that hold content, ascending
///     index <64 hex> <bytes>           packs that hold parts of the manifest, ascending
///     part <64 hex> <bytes> <pack, 16 hex> <offset>
///
/// The parts, put one behind the other, are the manifest. Reading a manifest needs the index packs only, so a partial
/// fetch brings few content packs. Root, packs and index packs are all that a dataset needs: ordinary content objects
/// (SHA-256 of their bytes) in `.git/ml/objects`, listed in `refs/ml/objects` at push, held by any remote.
///
/// ## The manifest
/// One line an entry, strictly ascending by the path's bytes, fields separated by tabs:
///
///     <path> <oid, 64 hex> <size> <mode> <pack, 16 hex> <offset>
///     <path> <oid> <size> <mode> parts <count>        a large file; then count lines:
///     TAB <oid of the part> <size> <pack> <offset>
///     <path> <oid> 0 <mode> - 0                       an empty file
///     <path> - 0 040000 - 0                           an empty folder
///
/// - `mode` is git's: 100644, 100755, 120000 (a link; its content is its target), 040000. Owners, times and other
///   permission bits are not kept. A dataset of kind file has one entry, named `file`.
/// - `pack` is the first 16 digits of a pack's name, unique in the root's table.
/// - Paths are relative, with `/`. Backslash, bytes below 0x20, 0x7f and bytes that are no UTF-8 are written `\xHH`
///   (lower case); everything else stands as it is: there is one spelling of each path. Refused are empty, `.`, `..`
///   and `.git` components (also as file systems that fold names see them), absolute paths and drive letters, an entry
///   below another that is no folder, names that differ in case only, components over 255 bytes.
/// - Links must be relative and stay inside the folder.
///
/// A part ends behind a line by whose path (for a large file's parts: oid) says so: the lowest 7 bits of its FNV-1a (the
/// oid's first 8 bytes) are zero and the part has 4 KiB; or at 64 KiB. A changed file changes one part of some 16 KiB.
///
/// ## Packs
/// Contents behind one another without any framing, in path order, 64 MiB and then a new one. Files up to 1 MiB are kept
/// whole; larger ones are cut at content-defined boundaries (``Chunker``). The same content is stored once. What a new
/// version shares with the one before stays where it is; new content goes into new packs. Of packs of one size class
/// (under 256 KiB, 1, 4, 16 and 64 MiB) at most seven stay: the eighth merges them into one, and a pack of which less than a quarter
/// is used any more goes along. So a dataset has few packs, and a byte is rewritten some five times at most.
public struct DatasetPointer: Hashable, Sendable {
    public enum Kind: String, Sendable { case folder, file }

    /// The end of a pointer file's name.
    public static let suffix = ".dataset"
    /// A blob that is larger is no dataset pointer.
    public static let maximumLength = 512
    private static let version = "git-ml-dataset 1"

    public let kind: Kind
    /// Files and links.
    public let files: Int64
    public let manifest: ContentID
    /// Of all files, in bytes.
    public let size: Int64

    public init(kind: Kind, files: Int64, manifest: ContentID, size: Int64) {
        self.kind = kind
        self.files = files
        self.manifest = manifest
        self.size = size
    }

    /// One that holds nothing, for taking a dataset away.
    static func empty(_ kind: Kind) -> DatasetPointer {
        DatasetPointer(kind: kind, files: 0, manifest: ContentID(Digest.of([]), size: 0), size: 0)
    }

    /// The bytes git stores.
    public var text: String {
        """
        \(Self.version)
        kind \(kind.rawValue)
        files \(files)
        manifest \(manifest.digest)
        manifest-size \(manifest.size)
        size \(size)

        """
    }

    /// Whether a blob claims to be one; what then does not parse is an error.
    public static func isPointer(_ bytes: [UInt8]) -> Bool { bytes.starts(with: "git-ml-dataset ".utf8) }

    /// Reads what git stores for `path`; the path is for messages.
    public static func parse(_ bytes: [UInt8], path: String) throws(DatasetFailure) -> DatasetPointer {
        guard bytes.count <= maximumLength, let text = String(validating: bytes, as: UTF8.self) else {
            throw .pointer(path, line: 1, "is no text of at most \(maximumLength) bytes")
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines[0] == version else {
            if lines[0].hasPrefix("git-ml-dataset ") {
                throw DatasetFailure(
                    .user, "\(path) was written by a newer git-ml (“\(lines[0])”)", hints: ["update git-ml"])
            }
            throw .pointer(path, line: 1, "must be “\(version)”")
        }
        func value(_ line: Int, _ key: String) throws(DatasetFailure) -> String {
            guard line < lines.count, lines[line].hasPrefix(key + " ") else {
                throw .pointer(path, line: line + 1, "must be “\(key) …”")
            }
            return String(lines[line].dropFirst(key.utf8.count + 1))
        }
        func number(_ line: Int, _ key: String) throws(DatasetFailure) -> Int64 {
            let text = try value(line, key)
            guard let number = Int64(text), number >= 0, String(number) == text else {
                throw .pointer(path, line: line + 1, "needs a number")
            }
            return number
        }
        guard let kind = Kind(rawValue: try value(1, "kind")) else {
            throw .pointer(path, line: 2, "must say folder or file")
        }
        let files = try number(2, "files")
        let name = try value(3, "manifest")
        guard name.hasPrefix("sha256:"), let digest = Digest(name) else {
            throw .pointer(path, line: 4, "needs manifest sha256:<64 hex digits>")
        }
        let manifest = ContentID(digest, size: try number(4, "manifest-size"))
        let pointer = DatasetPointer(kind: kind, files: files, manifest: manifest, size: try number(5, "size"))
        guard Array(pointer.text.utf8) == bytes else { throw .pointer(path, line: 7, "must not be there") }
        return pointer
    }
}
