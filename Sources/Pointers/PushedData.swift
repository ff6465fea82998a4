internal import Base
public import GitKit
public import Storage

/// The content that the new commits of a push name: what a server asks the data remote for before it takes them.
public struct PushedData: Sendable {
    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// The contents of pointers, and of datasets' manifests, that are reachable from `new` and not from `old`, with the path
    /// of each.
    ///
    /// Only what a commit changes against its first parent is read, so the cost is that of the push.
    public func contents(new: [ObjectID], old: [ObjectID]) throws -> [ContentID: String] {
        var found: [ContentID: String] = [:]
        var seen: Set<ObjectID> = []
        try repository.history(from: new, hiding: old) { id in
            let commit = try repository.commit(id)
            let before = try commit.parents.first.map { try repository.commit($0).tree }
            try collect(commit.tree, against: before, below: "", &found, &seen)
            return true
        }
        return found
    }

    private func collect(
        _ tree: ObjectID, against old: ObjectID?, below: String, _ found: inout [ContentID: String],
        _ seen: inout Set<ObjectID>
    ) throws {
        if tree == old || !seen.insert(tree).inserted { return }
        let before = Dictionary((try old.map { try repository.tree($0).entries } ?? []).map { ($0.name, $0) }) { $1 }
        for entry in try repository.tree(tree).entries {
            let previous = before[entry.name]
            if entry.mode == .directory {
                let folder = previous?.mode == .directory ? previous?.id : nil
                try collect(entry.id, against: folder, below: below + entry.name + "/", &found, &seen)
            } else if previous?.id != entry.id, entry.mode == .file || entry.mode == .executable,
                seen.insert(entry.id).inserted, let content = try content(entry.id, path: below + entry.name)
            {
                found[content] = below + entry.name
            }
        }
    }

    private func content(_ blob: ObjectID, path: String) throws -> ContentID? {
        guard let header = try repository.header(blob),
            header.size <= max(Pointer.maximumLength, DatasetPointer.maximumLength)
        else { return nil }
        let bytes = try repository.blob(blob)
        if let pointer = try? Pointer.parse(bytes, path: path) {
            return pointer.size > 0 ? ContentID(pointer.digest, size: pointer.size) : nil
        }
        guard path.hasSuffix(DatasetPointer.suffix), DatasetPointer.isPointer(bytes) else { return nil }
        return try? DatasetPointer.parse(bytes, path: path).manifest
    }
}
