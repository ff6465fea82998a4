internal import Base
public import Storage
internal import SystemPackage

/// How two states of a dataset differ; paths as people read them.
public struct DatasetChanges: Sendable, Equatable {
    public var added: [String] = []
    public var changed: [String] = []
    public var removed: [String] = []

    public init() {}

    public var isEmpty: Bool { added.isEmpty && changed.isEmpty && removed.isEmpty }

    /// Compares two states; nil stands for no dataset.
    ///
    /// Both manifests must be here (``Dataset/prepare(_:fetch:)``).
    public static func between(_ old: DatasetPointer?, _ new: DatasetPointer?, name: String, store: ContentStore) throws
        -> DatasetChanges
    {
        func reader(_ pointer: DatasetPointer?) throws -> ManifestReader {
            try ManifestReader(
                pointer.map { try Dataset.root($0, name: name, store: store) } ?? ManifestRoot(), name: name,
                store: store)
        }
        var changes = DatasetChanges()
        if old == new { return changes }
        var (a, b) = (try reader(old), try reader(new))
        var (x, y) = (try a.next(), try b.next())
        while x != nil || y != nil {
            if let old = x, let new = y, old.path == new.path {
                if !old.isSame(as: new) { changes.changed.append(DatasetPath.display(new.path)) }
                (x, y) = (try a.next(), try b.next())
            } else if let old = x, y.map({ old.path.lexicographicallyPrecedes($0.path) }) ?? true {
                changes.removed.append(DatasetPath.display(old.path))
                x = try a.next()
            } else if let new = y {
                changes.added.append(DatasetPath.display(new.path))
                y = try b.next()
            }
        }
        return changes
    }
}

extension Dataset {
    /// How the work tree differs from what the pointer beside it names; its manifest must be here (``prepare(_:fetch:)``).
    ///
    /// Files are read only where their stamps do not say that they are what they were.
    public func status() throws -> DatasetChanges {
        guard let pointer = try pointer() else { throw FileFailure("read", pointerFile, .noSuchFileOrDirectory) }
        var run = DatasetStatus(self, pointer)
        return try run.run()
    }

    /// Whether ``status()`` can do without the manifest.
    public func statusNeedsManifest(_ pointer: DatasetPointer) -> Bool {
        DatasetCache(cacheFile)?.manifest != ContentName(pointer.manifest.digest)
    }
}

/// One comparison of the work tree with a manifest.
private struct DatasetStatus {
    private let dataset: Dataset
    private let pointer: DatasetPointer
    private let cache: DatasetCache?
    private var table = FileTable()
    private var changes = DatasetChanges()
    /// Rows whose content must be read to say, and what it should be.
    private var unsure: [(row: Int, name: ContentName)] = []

    init(_ dataset: Dataset, _ pointer: DatasetPointer) {
        self.dataset = dataset
        self.pointer = pointer
        cache = DatasetCache(dataset.cacheFile)
    }

    mutating func run() throws -> DatasetChanges {
        if Files.exists(dataset.place) { table = try DatasetTable.scan(dataset, pointer.kind) }
        var known = DatasetCache.Cursor(cache)
        var i = 0
        if let cache, cache.manifest == ContentName(pointer.manifest.digest) {
            while let entry = known.entry {
                try compare(known.path(entry), entry.name, entry.mode, entry.stamp, &i)
                known.advance()
            }
        } else {
            let selection = try dataset.selection()
            var reader = try ManifestReader(try dataset.root(pointer), name: dataset.path, store: dataset.store)
            while let entry = try reader.next() {
                let stamp = entry.path.withUnsafeBytes { path in
                    known.find(path).flatMap { $0.name == entry.name ? $0.stamp : nil }
                }
                let isHere = entry.path.withUnsafeBytes { path -> Bool in
                    skip(to: path, &i)
                    return i < table.rows.count && table.compare(i, to: path) == 0
                }
                if !isHere, !selection.contains(entry.path) { continue }
                let mode = FileTable.Mode(rawValue: entry.mode.rawValue) ?? .file
                try compare(entry.path, entry.name, mode, stamp, &i)
            }
        }
        while i < table.rows.count { add(&i) }
        try look()
        return changes
    }

    private mutating func add(_ i: inout Int) {
        changes.added.append(DatasetPath.display(table.path(i)))
        i += 1
    }

    private mutating func skip(to path: UnsafeRawBufferPointer, _ i: inout Int) {
        while i < table.rows.count, table.compare(i, to: path) < 0 { add(&i) }
    }

    private mutating func compare(
        _ path: [UInt8], _ name: ContentName, _ mode: FileTable.Mode, _ stamp: FileStamp?, _ i: inout Int
    ) throws {
        let isHere = path.withUnsafeBytes { path -> Bool in
            skip(to: path, &i)
            return i < table.rows.count && table.compare(i, to: path) == 0
        }
        guard isHere else { return changes.removed.append(DatasetPath.display(path)) }
        let row = table.rows[i]
        defer { i += 1 }
        if row.mode == .folder, mode == .folder { return }
        if row.mode == .dangling { return changes.removed.append(DatasetPath.display(path)) }
        if row.mode != mode { return changes.changed.append(DatasetPath.display(path)) }
        if let stamp, row.stamp == stamp { return }
        if let stamp, stamp != .unknown, row.mode != .link, stamp.size != row.stamp.size {
            return changes.changed.append(DatasetPath.display(path))
        }
        unsure.append((i, name))
    }

    /// Reads what is unsure; what turns out to be as it was is remembered by its new stamp.
    private mutating func look() throws {
        if unsure.isEmpty { return }
        let names = try ContentNames.of(unsure.map(\.row), table, dataset, pointer.kind)
        for (item, name) in zip(unsure, names) {
            if name == item.name {
                table.rows[item.row].name = name
                table.rows[item.row].isKnown = true
            } else {
                changes.changed.append(DatasetPath.display(table.path(item.row)))
            }
        }
        changes.changed.sort()
        try refresh()
    }

    /// Writes the cache anew where that spares reading next time; only when it is that of this manifest.
    private func refresh() throws {
        guard let cache, cache.manifest == ContentName(pointer.manifest.digest),
            let lock = try FileLock.ifFree(dataset.lockFile)
        else { return }
        defer { extendLifetime(lock) }
        var writer = DatasetCache.Writer(manifest: cache.manifest, capacity: cache.count)
        var cursor = DatasetCache.Cursor(cache)
        var i = 0
        while let entry = cursor.entry {
            let path = cursor.path(entry)
            let row = path.withUnsafeBytes { path -> FileTable.Row? in
                while i < table.rows.count, table.compare(i, to: path) < 0 { i += 1 }
                return i < table.rows.count && table.compare(i, to: path) == 0 ? table.rows[i] : nil
            }
            let isAsBefore = row.map { $0.isKnown && $0.name == entry.name && $0.mode == entry.mode } ?? false
            writer.add(
                path, stamp: isAsBefore ? row?.stamp ?? entry.stamp : entry.stamp, name: entry.name, mode: entry.mode,
                clock: isAsBefore ? table.clock : nil)
            cursor.advance()
        }
        try writer.write(dataset.cacheFile)
    }
}

/// Content names of files in the work tree, read on several threads.
enum ContentNames {
    private final class Results: @unchecked Sendable {
        // Each thread writes places of its own.
        let names: UnsafeMutablePointer<ContentName>
        init(_ count: Int) {
            names = .allocate(capacity: count)
            names.initialize(repeating: .none, count: count)
        }
        deinit { names.deallocate() }
    }

    /// In the order of `rows`; a file that goes on changing counts as changed.
    static func of(_ rows: [Int], _ table: FileTable, _ dataset: Dataset, _ kind: DatasetPointer.Kind) throws
        -> [ContentName]
    {
        let results = Results(rows.count)
        let step = 64
        let turnstile = Turnstile()
        try Workers.run { _ in
            var reader = try StableReader(
                dataset.place, name: dataset.path, kind: kind, unpacked: dataset.unpacked)
            while let number = turnstile.take(below: (rows.count + step - 1) / step) {
                for k in number * step..<min(rows.count, (number + 1) * step) {
                    let row = table.rows[rows[k]]
                    if row.mode == .other || row.mode == .folder || row.mode == .dangling { continue }
                    var stamp = row.stamp
                    let name = try reader.name(of: table.path(rows[k]), isLink: row.mode == .link, stamp: &stamp)
                    // What has changed since the scan is looked at by the next command.
                    if stamp == row.stamp { results.names[k] = name }
                }
            }
        }
        return (0..<rows.count).map { results.names[$0] }
    }
}
