internal import Base

/// `refs/ml/objects`: a tree `aa/bb/<oid>` of pointer texts, one for each content that was pushed and that no file names.
public struct ContentList: Sendable {
    public static let ref = "refs/ml/objects"

    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// Where a content's text lies in the tree; `oid` is 64 hex digits.
    public static func path(_ oid: String) -> String { "\(oid.prefix(2))/\(oid.dropFirst(2).prefix(2))/\(oid)" }

    /// Lists contents, oid to text, in one commit; what is listed already changes nothing.
    public func add(_ texts: [String: String]) throws {
        if texts.isEmpty { return }
        try repository.move(Self.ref) { head in
            try repository.withoutFlushing {
                let old = try head.map { try repository.commit($0).tree }
                let new = try folder(texts.map { (Self.path($0.key).split(separator: "/")[...], $0.value) })
                let tree = try old.map { try united($0, new) } ?? new
                if tree == old { return nil }
                return try repository.writeCommit(
                    tree: tree, parents: head.map { [$0] } ?? [], by: repository.user(), message: "objects: add\n")
            }
        }
    }

    /// Takes contents off the list.
    public func remove(_ oids: Set<String>) throws {
        if oids.isEmpty { return }
        try repository.move(Self.ref) { head in
            guard let head else { return nil }
            let old = try repository.commit(head).tree
            let tree = try removing(oids, from: old)
            if tree == old { return nil }
            return try repository.writeCommit(
                tree: tree, parents: [head], by: repository.user(), message: "objects: remove\n")
        }
    }

    /// Unites the list with one that was fetched; what belonged to purged runs stays out.
    public func merge(_ other: ObjectID) throws {
        let purged = try PurgedRuns(repository)
        try repository.move(Self.ref) { head in
            guard let head else { return other }
            if try repository.isAncestor(other, of: head) { return nil }
            if try repository.isAncestor(head, of: other) { return other }
            let parents = [head, other].sorted()
            let commits = try parents.map { try repository.commit($0) }
            return try repository.withoutFlushing {
                try repository.writeCommit(
                    tree: removing(purged.contents, from: united(commits[0].tree, commits[1].tree)), parents: parents,
                    by: Signature(
                        name: "git-ml", email: "git-ml@localhost",
                        time: max(commits[0].committer.time, commits[1].committer.time)),
                    message: "objects: merge\n")
            }
        }
    }

    private func folder(_ items: [(path: ArraySlice<Substring>, text: String)]) throws -> ObjectID {
        let entries = try Dictionary(grouping: items) { $0.path.first ?? "" }.map { name, items in
            if let item = items.first, item.path.count == 1 {
                return TreeEntry(String(name), .file, try repository.write(.blob, Array(item.text.utf8)))
            }
            return TreeEntry(String(name), .directory, try folder(items.map { ($0.path.dropFirst(), $0.text) }))
        }
        return try repository.write(Tree(entries))
    }

    private func united(_ a: ObjectID, _ b: ObjectID) throws -> ObjectID {
        if a == b { return a }
        var entries: [String: TreeEntry] = [:]
        for entry in try repository.tree(a).entries { entries[entry.name] = entry }
        for entry in try repository.tree(b).entries {
            guard let own = entries[entry.name] else {
                entries[entry.name] = entry
                continue
            }
            if own.mode == .directory, entry.mode == .directory {
                entries[entry.name] = TreeEntry(entry.name, .directory, try united(own.id, entry.id))
            }
        }
        return try repository.write(Tree(Array(entries.values)))
    }

    private func removing(_ oids: Set<String>, from tree: ObjectID) throws -> ObjectID {
        try oids.sorted().reduce(tree) { try removing(Self.path($1).split(separator: "/")[...], from: $0) }
    }

    private func removing(_ path: ArraySlice<Substring>, from tree: ObjectID) throws -> ObjectID {
        var entries = try repository.tree(tree).entries
        guard let name = path.first, let place = entries.firstIndex(where: { $0.name == name }) else { return tree }
        if path.count == 1 {
            entries.remove(at: place)
        } else {
            let below = try removing(path.dropFirst(), from: entries[place].id)
            if below == entries[place].id { return tree }
            let isEmpty = try repository.tree(below).entries.isEmpty
            entries[place] = TreeEntry(String(name), .directory, below)
            if isEmpty { entries.remove(at: place) }
        }
        return try repository.write(Tree(entries))
    }
}
