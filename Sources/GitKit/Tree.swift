/// One entry of a tree object.
public struct TreeEntry: Hashable, Sendable {
    /// What git stores as the mode: `40000`, `100644`, `100755`, `120000`, `160000`.
    public enum Mode: UInt32, Sendable {
        case directory = 0o040000
        case file = 0o100644
        case executable = 0o100755
        case link = 0o120000
        case submodule = 0o160000
    }

    public let name: String
    public let mode: Mode
    public let id: ObjectID

    public init(_ name: String, _ mode: Mode, _ id: ObjectID) {
        self.name = name
        self.mode = mode
        self.id = id
    }

    /// What git sorts by: a directory as if its name ended in a slash.
    var sortKey: String.UTF8View { (mode == .directory ? name + "/" : name).utf8 }
}

/// A tree object's entries.
public struct Tree: Sendable {
    public var entries: [TreeEntry]

    public init(_ entries: [TreeEntry] = []) { self.entries = entries }

    /// Reads the bytes of a tree object: `mode SP name NUL id`, again and again.
    init(bytes: [UInt8], id: ObjectID) throws {
        let idLength = id.hex.utf8.count / 2
        entries = []
        var at = 0
        while at < bytes.count {
            guard let space = bytes[at...].firstIndex(of: 0x20), let zero = bytes[space...].firstIndex(of: 0),
                zero + idLength < bytes.count + 1, zero + 1 + idLength <= bytes.count,
                let raw = UInt32(String(decoding: bytes[at..<space], as: UTF8.self), radix: 8)
            else { throw GitFailure.malformed(object: id.hex, reason: "a tree entry ends early") }
            entries.append(
                TreeEntry(
                    String(decoding: bytes[space + 1..<zero], as: UTF8.self), Self.mode(raw),
                    ObjectID(bytes: bytes[zero + 1..<zero + 1 + idLength])))
            at = zero + 1 + idLength
        }
    }

    /// Old repositories hold modes such as 100664; git reads them as plain files too.
    private static func mode(_ raw: UInt32) -> TreeEntry.Mode {
        if let mode = TreeEntry.Mode(rawValue: raw) { return mode }
        return raw & 0o111 != 0 ? .executable : .file
    }

    /// The bytes git stores, entries in git's order.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries.sorted(by: { $0.sortKey.lexicographicallyPrecedes($1.sortKey) }) {
            bytes += String(entry.mode.rawValue, radix: 8).utf8
            bytes.append(0x20)
            bytes += entry.name.utf8
            bytes.append(0)
            bytes += entry.id.bytes
        }
        return bytes
    }
}

extension Repository {
    /// The entries of a tree, or of a commit's tree.
    public func tree(_ id: ObjectID) throws -> Tree {
        let object = try object(id)
        switch object.kind {
        case .tree: return try Tree(bytes: object.bytes, id: id)
        case .commit: return try tree(Commit(bytes: object.bytes, id: id).tree)
        default: throw GitFailure.malformed(object: id.hex, reason: "it is a \(object.kind), not a tree")
        }
    }

    /// Stores a tree.
    public func write(_ tree: Tree) throws -> ObjectID { try write(.tree, tree.bytes) }

    /// Calls `body` for every entry below a tree or commit that is not a directory, in git's order.
    public func walk(_ id: ObjectID, _ body: (_ path: String, _ entry: TreeEntry) throws -> Void) throws {
        try walk(id, below: "", body)
    }

    private func walk(_ id: ObjectID, below: String, _ body: (String, TreeEntry) throws -> Void) throws {
        for entry in try tree(id).entries {
            if entry.mode == .directory {
                try walk(entry.id, below: below + entry.name + "/", body)
            } else {
                try body(below + entry.name, entry)
            }
        }
    }

    /// The entry at a path below a tree or commit; nil when there is none.
    public func entry(_ path: String, in id: ObjectID) throws -> TreeEntry? {
        var folder = id
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        for (i, part) in parts.enumerated() {
            guard let entry = try tree(folder).entries.first(where: { $0.name.utf8.elementsEqual(part.utf8) }) else {
                return nil
            }
            if i == parts.count - 1 { return entry }
            guard entry.mode == .directory else { return nil }
            folder = entry.id
        }
        return nil
    }

    /// The bytes of the file at a path below a tree or commit; nil when there is none, or when it is no file.
    public func file(_ path: String, in id: ObjectID) throws -> [UInt8]? {
        guard let entry = try entry(path, in: id), [.file, .executable].contains(entry.mode) else { return nil }
        return try blob(entry.id)
    }
}
