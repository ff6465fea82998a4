internal import Base
public import GitKit

/// Finds pointers in trees without reading what cannot be one.
public struct PointerScan: Sendable {
    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// The pointers in a commit's tree, by path.
    ///
    /// A blob that starts like a pointer and is malformed is left out.
    public func pointers(in commit: ObjectID) throws -> [(path: String, pointer: Pointer)] {
        var found: [(String, Pointer)] = []
        try repository.walk(commit) { path, entry in
            if let pointer = try pointer(entry, path: path) { found.append((path, pointer)) }
        }
        return found
    }

    /// The pointers in all commits that are reachable from `new` and not from `old`, each content once with one path.
    public func pointers(new: [ObjectID], old: [ObjectID]) throws -> [Pointer: String] {
        var found: [Pointer: String] = [:]
        var seen: Set<ObjectID> = []
        try repository.history(from: new, hiding: old) { commit in
            try collect(repository.commit(commit).tree, below: "", &found, &seen)
            return true
        }
        return found
    }

    private func collect(
        _ tree: ObjectID, below: String, _ found: inout [Pointer: String], _ seen: inout Set<ObjectID>
    ) throws {
        guard seen.insert(tree).inserted else { return }
        for entry in try repository.tree(tree).entries {
            if entry.mode == .directory {
                try collect(entry.id, below: below + entry.name + "/", &found, &seen)
            } else if seen.insert(entry.id).inserted, let pointer = try pointer(entry, path: below + entry.name) {
                found[pointer] = below + entry.name
            }
        }
    }

    private func pointer(_ entry: TreeEntry, path: String) throws -> Pointer? {
        guard entry.mode == .file || entry.mode == .executable,
            let header = try repository.header(entry.id), header.size <= Pointer.maximumLength
        else { return nil }
        return try? Pointer.parse(repository.blob(entry.id), path: path)
    }
}
