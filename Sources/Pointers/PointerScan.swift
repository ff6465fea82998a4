internal import Base
public import GitKit

/// Finds pointers in trees without reading what cannot be one.
public struct PointerScan: Sendable {
    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    private var scan: TreeScan<Pointer> { TreeScan(repository: repository, read: pointer) }

    /// The pointers in a commit's tree, by path.
    ///
    /// A blob that starts like a pointer and is malformed is left out.
    public func pointers(in commit: ObjectID) throws -> [(path: String, pointer: Pointer)] {
        try scan.found(in: commit).map { ($0.path, $0.found) }
    }

    /// The pointers in all commits that are reachable from `new` and not from `old`, each content once with one path.
    public func pointers(new: [ObjectID], old: [ObjectID]) throws -> [Pointer: String] {
        try scan.found(new: new, old: old)
    }

    private func pointer(_ entry: TreeEntry, path: String) throws -> Pointer? {
        guard entry.mode == .file || entry.mode == .executable,
            let header = try repository.header(entry.id), header.size <= Pointer.maximumLength
        else { return nil }
        return try? Pointer.parse(repository.blob(entry.id), path: path)
    }
}
