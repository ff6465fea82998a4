internal import Base
public import GitKit
internal import SystemPackage

/// Finds dataset pointers in commits and in the work tree.
public struct DatasetScan: Sendable {
    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    private var scan: TreeScan<DatasetPointer> { TreeScan(repository: repository, read: pointer) }

    /// The dataset pointers in a commit's tree, by the pointer file's path.
    public func pointers(in commit: ObjectID) throws -> [(path: String, pointer: DatasetPointer)] {
        try scan.found(in: commit).map { ($0.path, $0.found) }
    }

    /// Those in all commits reachable from `new` and not from `old`, each with one path.
    public func pointers(new: [ObjectID], old: [ObjectID]) throws -> [DatasetPointer: String] {
        try scan.found(new: new, old: old)
    }

    private func pointer(_ entry: TreeEntry, path: String) throws -> DatasetPointer? {
        guard path.hasSuffix(DatasetPointer.suffix), entry.mode == .file || entry.mode == .executable else {
            return nil
        }
        return try pointer(entry.id, path: path)
    }

    /// The pointer that a blob is; nil for anything else, and for one that is broken.
    func pointer(_ blob: ObjectID, path: String) throws -> DatasetPointer? {
        do { return try read(blob, path: path) } catch let failure as DatasetFailure {
            // One that history has broken must not stop every push; of one that is newer than this program all could be lost.
            if failure.kind == .corrupt { return nil }
            throw failure
        }
    }

    /// The pointer that a blob is; nil for what does not claim to be one.
    func read(_ blob: ObjectID, path: String) throws -> DatasetPointer? {
        guard let header = try repository.header(blob), header.size <= DatasetPointer.maximumLength else { return nil }
        let bytes = try repository.blob(blob)
        return DatasetPointer.isPointer(bytes) ? try DatasetPointer.parse(bytes, path: path) : nil
    }

    /// The datasets whose pointer files git knows in the index and that stand in the work tree.
    public func tracked() async throws -> [Dataset] {
        try await indexed().map { try Dataset(repository, path: $0) }.filter { dataset in
            // Somebody else's file may have such a name.
            try Files.read(dataset.pointerFile).map { DatasetPointer.isPointer($0) } ?? false
        }
    }

    private func indexed() async throws -> [String] {
        guard let index = try IndexFile(repository) else {
            let text = try await repository.git("ls-files", "-z", "--", ":(top)*" + DatasetPointer.suffix)
            return text.split(separator: "\0").map { String($0) }
        }
        return index.entries.filter { $0.stage == 0 && Dataset.isPointerPath($0.path) }
            .map { String(decoding: $0.path, as: UTF8.self) }
    }
}
