internal import GitKit

/// Finds blobs that mean something, each tree and each blob looked at once.
struct TreeScan<Found: Hashable> {
    let repository: Repository
    /// What a blob at a path is; nil for anything else.
    let read: (TreeEntry, String) throws -> Found?

    /// Those in a commit's tree, by path.
    func found(in commit: ObjectID) throws -> [(path: String, found: Found)] {
        var all: [(String, Found)] = []
        try repository.walk(commit) { path, entry in
            if let found = try read(entry, path) { all.append((path, found)) }
        }
        return all
    }

    /// Those in all commits reachable from `new` and not from `old`, each with one path.
    func found(new: [ObjectID], old: [ObjectID]) throws -> [Found: String] {
        var all: [Found: String] = [:]
        var seen: Set<ObjectID> = []
        try repository.history(from: new, hiding: old) { commit in
            try collect(repository.commit(commit).tree, below: "", &all, &seen)
            return true
        }
        return all
    }

    private func collect(
        _ tree: ObjectID, below: String, _ all: inout [Found: String], _ seen: inout Set<ObjectID>
    ) throws {
        guard seen.insert(tree).inserted else { return }
        for entry in try repository.tree(tree).entries {
            if entry.mode == .directory {
                try collect(entry.id, below: below + entry.name + "/", &all, &seen)
            } else if seen.insert(entry.id).inserted, let found = try read(entry, below + entry.name) {
                all[found] = below + entry.name
            }
        }
    }
}
