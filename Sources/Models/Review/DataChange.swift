internal import Base
internal import GitKit
internal import Pointers
internal import Storage

/// A data file or dataset that differs between two commits.
public struct DataChange: Sendable, Equatable {
    public enum State: String, Sendable { case added, removed, changed }

    /// One state of it.
    public struct Version: Sendable, Equatable {
        /// In bytes.
        public var size: Int64
        /// Of a dataset.
        public var files: Int64?
        /// Of a table whose bytes are here and that is not too large to count.
        public var rows: Int64?
        public var columns: [String]?
    }

    public let path: String
    public let isDataset: Bool
    public let old: Version?
    public let new: Version?
    /// How many files of a dataset are new, changed and gone; nil where the manifests are not here.
    public var files: (added: Int, changed: Int, removed: Int)? {
        fileCounts.map { ($0[0], $0[1], $0[2]) }
    }
    fileprivate var fileCounts: [Int]?

    public var state: State { old == nil ? .added : new == nil ? .removed : .changed }

    public var addedColumns: [String] { Self.lacking(new?.columns, in: old?.columns) }
    public var removedColumns: [String] { Self.lacking(old?.columns, in: new?.columns) }

    private static func lacking(_ columns: [String]?, in others: [String]?) -> [String] {
        guard let columns, let others else { return [] }
        return columns.filter { !others.contains($0) }
    }
}

/// Finds what differs in the data of two commits without fetching anything.
struct DataComparison {
    let repository: Repository
    /// Where the model lies: that is no data.
    let modelPath: String

    /// Tables of more bytes are not counted: a review is to be there at once.
    private static let largestTable: Int64 = 32 << 20

    /// The changes, and the paths that are data in one of the commits; `old` nil: all that `new` has is new.
    func changes(from old: ObjectID?, to new: ObjectID) throws -> [DataChange] {
        let paths: [String]
        if let old {
            paths = try repository.changedPaths(from: old, to: new)
        } else {
            paths = try
                (PointerScan(repository).pointers(in: new).map(\.path)
                + DatasetScan(repository).pointers(in: new).map(\.path)).sorted()
        }
        return try paths.compactMap { path in
            if path == modelPath || path.hasPrefix(modelPath + "/") { return nil }
            return try change(path, old, new)
        }
    }

    private enum Content {
        case pointer(Pointer)
        case dataset(DatasetPointer)
        /// A table that git itself keeps.
        case table([UInt8])
    }

    private func change(_ path: String, _ old: ObjectID?, _ new: ObjectID) throws -> DataChange? {
        let (before, after) = (try old.flatMap { try content(path, $0) }, try content(path, new))
        if before == nil, after == nil { return nil }
        var change = DataChange(
            path: path, isDataset: false, old: before.map { version($0, path) }, new: after.map { version($0, path) })
        let pointers = [before, after].map { content -> DatasetPointer? in
            if case .dataset(let pointer) = content { pointer } else { nil }
        }
        guard pointers.contains(where: { $0 != nil }) else { return change }
        let name = String(path.dropLast(DatasetPointer.suffix.count))
        change = DataChange(path: name, isDataset: true, old: change.old, new: change.new)
        let dataset = Dataset(stored: repository, path: path)
        let isHere = try pointers.compactMap(\.self).allSatisfy { try dataset.missingForReading($0).isEmpty }
        if isHere {
            let files = try DatasetChanges.between(pointers[0], pointers[1], name: name, store: dataset.store)
            change.fileCounts = [files.added.count, files.changed.count, files.removed.count]
        }
        return change
    }

    private func content(_ path: String, _ commit: ObjectID) throws -> Content? {
        guard let entry = try repository.entry(path, in: commit), [.file, .executable].contains(entry.mode),
            let header = try repository.header(entry.id)
        else { return nil }
        let isTable = TableFormat(path: path) != nil
        guard header.size <= Pointer.maximumLength || isTable && header.size <= Self.largestTable else { return nil }
        let bytes = try repository.blob(entry.id)
        if let pointer = try? Pointer.parse(bytes, path: path) { return .pointer(pointer) }
        if path.hasSuffix(DatasetPointer.suffix), let pointer = try? DatasetPointer.parse(bytes, path: path) {
            return .dataset(pointer)
        }
        return isTable ? .table(bytes) : nil
    }

    private func version(_ content: Content, _ path: String) -> DataChange.Version {
        switch content {
        case .dataset(let pointer): return DataChange.Version(size: pointer.size, files: pointer.files)
        case .table(let bytes):
            return version(size: Int64(bytes.count), TableFormat(path: path), .bytes(bytes))
        case .pointer(let pointer):
            let store = repository.contentStore
            guard pointer.size <= Self.largestTable, store.contains(pointer.digest, size: pointer.size) else {
                return DataChange.Version(size: pointer.size)
            }
            return version(size: pointer.size, TableFormat(path: path), .file(store.path(of: pointer.digest)))
        }
    }

    private func version(size: Int64, _ format: TableFormat?, _ source: TableSource) -> DataChange.Version {
        guard let format, let shape = TableShape.read(source, format) else { return DataChange.Version(size: size) }
        return DataChange.Version(size: size, rows: shape.rows, columns: shape.columns)
    }
}
