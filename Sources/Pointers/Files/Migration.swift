public import Base
public import GitKit
internal import Storage
internal import SystemPackage

/// Why a history could not be rewritten.
public enum MigrationFailure: Failure {
    case dirty
    case nothingNamed

    public var kind: FailureKind { .user }
    public var description: String {
        switch self {
        case .dirty: "the work tree has changes that are not committed; rewriting history would lose them"
        case .nothingNamed: "there is no commit to rewrite"
        }
    }
    public var hints: [String] {
        switch self {
        case .dirty: ["commit them or put them aside with `git stash`"]
        case .nothingNamed: ["commits that a remote has are left alone; `--everything` rewrites those too"]
        }
    }
}

/// Rewrites commits so that matching files are pointers (import) or content again (export), as `git lfs migrate` does.
///
/// Nothing that exists is changed: new trees, commits and tags are made, and a caller moves the refs to them.
public final class Migration {
    public enum Direction: Sendable { case importing, exporting }

    /// A tree's new id, and the paths below it that were converted.
    private typealias Rewritten = (id: ObjectID, paths: [String])

    private let repository: Repository
    private let direction: Direction
    private let patterns: [String]
    private let filter: FetchFilter
    private let above: Int64?
    private var trees: [String: Rewritten] = [:]
    private var blobs: [ObjectID: ObjectID] = [:]
    /// The new id of each commit and tag that was looked at; its own where nothing changed.
    public private(set) var map: [ObjectID: ObjectID] = [:]

    /// `above`: only files of more bytes.
    public init(_ repository: Repository, _ direction: Direction, include: [String], above: Int64?) {
        self.repository = repository
        self.direction = direction
        patterns = include
        filter = FetchFilter(include: include)
        self.above = above
    }

    /// Rewrites commits, which must be in an order in which parents come first.
    public func rewrite(_ commits: [ObjectID]) throws {
        try repository.withoutFlushing { for id in commits { map[id] = try rewrite(id) } }
    }

    private func rewrite(_ id: ObjectID) throws -> ObjectID {
        let old = try repository.object(id).bytes
        let tree = try repository.commit(id).tree
        let new = try withAttributes(tree: rewrite(tree, below: ""))
        var lines: [ArraySlice<UInt8>] = []
        let end = old.firstRange(of: [0x0a, 0x0a])?.lowerBound ?? old.count
        var isDropping = false
        var isChanged = new != tree
        for line in old[..<end].split(separator: 0x0a, omittingEmptySubsequences: false) {
            if line.first == 0x20, isDropping { continue }
            let words = String(decoding: line.prefix(80), as: UTF8.self).split(separator: " ")
            // What signs the old bytes, or repeats a tag that was merged, no longer holds.
            isDropping = line.first != 0x20 && ["gpgsig", "gpgsig-sha256", "mergetag"].contains(words.first ?? "")
            if isDropping { continue }
            if words.first == "tree" {
                lines.append(Array("tree \(new)".utf8)[...])
            } else if words.first == "parent", words.count == 2, let parent = ObjectID(words[1]),
                let other = map[parent]
            {
                isChanged = isChanged || other != parent
                lines.append(Array("parent \(other)".utf8)[...])
            } else {
                lines.append(line)
            }
        }
        guard isChanged else { return id }
        return try repository.write(.commit, Array(lines.joined(separator: [0x0a])) + old[end...])
    }

    /// The new id of what a ref points at: a commit, or a tag of one that is written anew without its signature.
    public func target(of id: ObjectID) throws -> ObjectID {
        if let known = map[id] { return known }
        let (kind, bytes) = try repository.object(id)
        guard kind == .tag, let lineEnd = bytes.firstIndex(of: 0x0a),
            let object = ObjectID(String(decoding: bytes[..<lineEnd].dropFirst("object ".utf8.count), as: UTF8.self))
        else { return id }
        let new = try target(of: object)
        if new == object { return id }
        var rest = bytes[lineEnd...]
        for mark in ["\n-----BEGIN PGP SIGNATURE-----", "\n-----BEGIN SSH SIGNATURE-----"] {
            if let start = rest.firstRange(of: Array(mark.utf8))?.lowerBound { rest = rest[...start] }
        }
        let tag = try repository.write(.tag, Array("object \(new)".utf8) + rest)
        map[id] = tag
        return tag
    }

    // MARK: Trees

    private func rewrite(_ id: ObjectID, below: String) throws -> Rewritten {
        // The same folder at another place may match other patterns.
        let key = id.hex + below
        if let known = trees[key] { return known }
        var tree = try RawTree(id, in: repository)
        var paths: [String] = []
        for i in tree.entries.indices {
            let entry = tree.entries[i]
            let path = below + String(decoding: entry.name, as: UTF8.self)
            if entry.isDirectory {
                let folder = try rewrite(entry.id, below: path + "/")
                paths += folder.paths
                tree.entries[i].id = folder.id
            } else if entry.isFile, !entry.name.starts(with: ".git".utf8), filter.allows(path) {
                let new = try blob(entry.id)
                if new != entry.id { paths.append(path) }
                tree.entries[i].id = new
            }
        }
        let result: Rewritten = (paths.isEmpty ? id : try repository.write(.tree, tree.bytes), paths)
        trees[key] = result
        return result
    }

    private func withAttributes(tree: Rewritten) throws -> ObjectID {
        if tree.paths.isEmpty, direction == .importing { return tree.id }
        let names = above == nil && !patterns.isEmpty ? patterns : tree.paths.map { "/" + Attributes.literal($0) }
        if direction == .exporting { return try withoutTracking(names, tree) }
        var root = try RawTree(tree.id, in: repository)
        let place = root.entries.first { $0.name == Array(".gitattributes".utf8) && $0.isFile }
        var text = try place.map { String(decoding: try repository.blob($0.id), as: UTF8.self) } ?? ""
        var known = Set(text.split(separator: "\n").map(String.init))
        for name in names {
            let line = Attributes.escaped(name) + Attributes.suffix
            guard known.insert(line).inserted else { continue }
            if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
            text += line + "\n"
        }
        root.set(".gitattributes", try repository.write(.blob, Array(text.utf8)))
        return try repository.write(.tree, root.bytes)
    }

    /// Takes the lines out that made pointers of what is content again; what another line still covers gets one against it.
    private func withoutTracking(_ names: [String], _ tree: Rewritten) throws -> ObjectID {
        var root = try RawTree(tree.id, in: repository)
        guard let place = root.entries.first(where: { $0.name == Array(".gitattributes".utf8) && $0.isFile }) else {
            return tree.id
        }
        let old = String(decoding: try repository.blob(place.id), as: UTF8.self)
        let isAll = above == nil && !Set(names).isDisjoint(with: ["*", "**"])
        var (text, tracked) = Attributes.without(names, isAll: isAll, in: old)
        let covered = tracked.isEmpty ? [] : tree.paths.filter { FetchFilter(include: tracked).allows($0) }
        for name in names where covered.contains(where: { FetchFilter(include: [Self.plain(name)]).allows($0) }) {
            if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
            text += Attributes.escaped(name) + " !text !filter !merge !diff\n"
        }
        if text == old { return tree.id }
        if text.isEmpty {
            root.entries.removeAll { $0.name == place.name }
        } else {
            root.set(".gitattributes", try repository.write(.blob, Array(text.utf8)))
        }
        return try repository.write(.tree, root.bytes)
    }

    private static func plain(_ name: String) -> String { name.hasPrefix("/") ? String(name.dropFirst()) : name }

    // MARK: Blobs

    private func blob(_ id: ObjectID) throws -> ObjectID {
        if let known = blobs[id] { return known }
        let new = try direction == .importing ? pointer(for: id) : content(for: id)
        blobs[id] = new
        return new
    }

    private func pointer(for id: ObjectID) throws -> ObjectID {
        guard let header = try repository.header(id), header.size > 0, Int64(header.size) > above ?? -1 else {
            return id
        }
        if try DataFiles(repository).pointer(id) != nil { return id }
        let batch = try ContentBatch(repository.contentStore)
        let bytes = try repository.blob(id)
        var at = 0
        let content = try batch.take { buffer in
            let count = min(buffer.count, bytes.count - at)
            buffer.copyBytes(from: bytes[at..<at + count])
            at += count
            return count
        }
        try batch.place()
        return try repository.write(.blob, Array(Pointer(digest: content.digest, size: content.size).text.utf8))
    }

    private func content(for id: ObjectID) throws -> ObjectID {
        guard let pointer = try DataFiles(repository).pointer(id), pointer.size > above ?? -1 else { return id }
        if pointer.size == 0 { return try repository.write(.blob, []) }
        let store = repository.contentStore
        guard store.contains(pointer.digest, size: pointer.size),
            let bytes = try Files.read(store.path(of: pointer.digest)), Digest.of(bytes) == pointer.digest
        else { throw StorageFailure.missing(pointer.digest, remote: store.root.string) }
        return try repository.write(.blob, bytes)
    }
}
