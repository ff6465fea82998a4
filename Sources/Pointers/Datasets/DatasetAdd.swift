internal import Base
public import Storage
internal import SystemPackage

/// What `add` did with a dataset.
public struct DatasetAdded: Sendable {
    public let pointer: DatasetPointer
    /// Bytes of content that were not stored before, without the manifest.
    public let newBytes: Int64
    /// Whether the pointer file says something new.
    public let isChanged: Bool
}

extension Dataset {
    /// Stores the state that the folder or file has now and writes its pointer; run again it changes nothing.
    ///
    /// Contents that the manifest before has are not stored again; files whose stamps the cache knows are not read. `progress`
    /// is told of the bytes read since the last call, and of those that are to be read.
    public func add(
        fetch: ContentFetch, progress: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in }
    ) async throws -> DatasetAdded {
        let before = try pointer()
        if let before { try await prepare(before, fetch: fetch) }
        return try FileLock.with(lockFile) {
            var run = try DatasetAdd(self, before: before, progress: progress)
            return try run.run()
        }
    }
}

/// One run of `add`: scan, decide what to read, read, merge small packs, write the manifest.
private struct DatasetAdd {
    private let dataset: Dataset
    private let before: DatasetPointer?
    private let root: ManifestRoot
    private let kind: DatasetPointer.Kind
    private let progress: @Sendable (Int64, Int64) -> Void
    private var table = FileTable()
    private var packs: [Pack]
    private var parts: [[Slice]] = []

    init(_ dataset: Dataset, before: DatasetPointer?, progress: @escaping @Sendable (Int64, Int64) -> Void) throws {
        self.dataset = dataset
        self.before = before
        self.progress = progress
        root = try before.map { try dataset.root($0) } ?? ManifestRoot()
        packs = root.packs
        guard let found = dataset.kindOfPlace() else {
            throw FileFailure("read", FilePath(dataset.path), .noSuchFileOrDirectory)
        }
        switch found {
        case .directory: kind = .folder
        case .file: kind = .file
        default: throw DatasetFailure.unstorable(dataset.path, "is neither a folder nor a file")
        }
    }

    mutating func run() throws -> DatasetAdded {
        // After a merge or a switch of branches the folder is behind: adding it then would take out what the others added.
        if let before, let cache = DatasetCache(dataset.cacheFile),
            cache.manifest != ContentName(before.manifest.digest)
        {
            throw NoDataset(
                description: "\(dataset.path) is not at the state that \(dataset.pointerPath) names",
                hints: [
                    "`git ml checkout \(shellQuoted(dataset.path))` brings it there; files that you have changed stay"
                ])
        }
        table = try DatasetTable.scan(dataset, kind)
        try check()
        try keepUnselected()
        let unknown = try recognise()
        let intake = DatasetIntake(dataset, kind: kind, oldPacks: packs.count, parts: parts)
        try read(unknown, intake)
        packs += try intake.finish()
        parts = intake.parts
        try mergePacks()
        var writer = ManifestWriter(store: dataset.store, packs: packs, before: [root])
        try write(&writer)
        let pointer = try writer.finish(kind: kind).pointer
        let isChanged = pointer != before
        if isChanged { try Files.replace(dataset.pointerFile, with: pointer.text.utf8) }
        try writeCache(pointer)
        return DatasetAdded(pointer: pointer, newBytes: intake.added, isChanged: isChanged)
    }

    /// Refuses what a dataset cannot hold, before anything is read.
    private func check() throws {
        var order = PathOrder()
        for i in table.rows.indices {
            let path = table.path(i)
            func refuse(_ reason: String) -> DatasetFailure {
                .unstorable("\(dataset.path)/\(DatasetPath.display(path))", reason)
            }
            if table.rows[i].mode == .dangling {
                let name = kind == .file ? dataset.path : "\(dataset.path)/\(DatasetPath.display(path))"
                throw DatasetFailure.noContent(name, dataset.path)
            }
            if table.rows[i].mode == .other { throw refuse("is a pipe, socket or device, not a file") }
            if let problem = DatasetPath.problem(path) ?? order.next(path) { throw refuse(problem) }
        }
    }

    /// With a part of the dataset here only: what was not asked for stays in it.
    private mutating func keepUnselected() throws {
        let selection = try dataset.selection()
        guard before != nil, !selection.isAll else { return }
        var reader = try ManifestReader(root, name: dataset.path, store: dataset.store)
        var merged = FileTable()
        merged.clock = table.clock
        var i = 0
        func take(_ path: [UInt8], _ row: FileTable.Row) {
            var row = row
            row.pathStart = merged.paths.count
            merged.paths += path
            merged.rows.append(row)
        }
        while let entry = try reader.next() {
            let isHere = entry.path.withUnsafeBytes { path -> Bool in
                while i < table.rows.count, table.compare(i, to: path) < 0 {
                    take(table.path(i), table.rows[i])
                    i += 1
                }
                return i < table.rows.count && table.compare(i, to: path) == 0
            }
            if isHere || selection.contains(entry.path) { continue }
            var row = FileTable.Row(
                pathStart: 0, pathLength: UInt16(entry.path.count),
                mode: FileTable.Mode(rawValue: entry.mode.rawValue) ?? .file, stamp: .unknown)
            row.stamp.size = entry.size
            row.isKnown = true
            row.isAbsent = true
            row.name = entry.name
            take(entry.path, row)
        }
        while i < table.rows.count {
            take(table.path(i), table.rows[i])
            i += 1
        }
        var order = PathOrder(checksCase: false)
        for i in merged.rows.indices {
            let path = merged.path(i)
            // A folder was empty because what it holds is not here.
            if let problem = order.next(path) {
                throw DatasetFailure.unstorable("\(dataset.path)/\(DatasetPath.display(path))", problem)
            }
        }
        table = merged
    }

    /// Fills in what cache and manifest say; returns the rows whose content is still to be placed.
    private mutating func recognise() throws -> [Int] {
        var cursor = DatasetCache.Cursor(DatasetCache(dataset.cacheFile))
        var reader = try ManifestReader(root, name: dataset.path, store: dataset.store)
        var entry = try reader.next()
        var open: [Int] = []
        for i in table.rows.indices where table.rows[i].mode != .folder {
            let path = table.path(i)
            if !table.rows[i].isAbsent, let known = path.withUnsafeBytes({ cursor.find($0) }),
                known.stamp == table.rows[i].stamp, known.mode == table.rows[i].mode
            {
                table.rows[i].name = known.name
                table.rows[i].isKnown = true
                if known.mode == .link { table.rows[i].stamp.size = known.stamp.size }
            }
            if table.rows[i].stamp.size == 0, table.rows[i].mode != .link {
                table.rows[i].name = ContentName(hashing: UnsafeRawBufferPointer(start: nil, count: 0))
                table.rows[i].isKnown = true
                continue
            }
            while let old = entry, old.path.lexicographicallyPrecedes(path) { entry = try reader.next() }
            if let old = entry, old.path == path, table.rows[i].isKnown, old.name == table.rows[i].name {
                place(i, old.content)
            } else {
                open.append(i)
            }
        }
        return open
    }

    private mutating func place(_ i: Int, _ content: EntryContent) {
        switch content {
        case .nothing: break
        case .whole(let pack, let offset):
            table.rows[i].pack = Int32(pack)
            table.rows[i].offset = offset
        case .parts(let slices):
            table.rows[i].pack = Int32(-2 - parts.count)
            parts.append(slices)
        }
    }

    private mutating func read(_ open: [Int], _ intake: DatasetIntake) throws {
        if open.isEmpty { return }
        var reader = try ManifestReader(root, name: dataset.path, store: dataset.store, checksCase: false)
        while let entry = try reader.next() {
            switch entry.content {
            case .nothing: break
            case .whole(let pack, let offset): intake.know(entry.name, pack, offset)
            case .parts(let slices): for slice in slices { intake.know(slice.name, slice.pack, slice.offset) }
            }
        }
        var unread: [Int] = []
        for i in open {
            // A renamed file: the cache does not know it, but it may be one that was looked at under its new name before.
            if table.rows[i].isKnown, table.rows[i].stamp.size <= DatasetIntake.wholeSize,
                let place = intake.known(table.rows[i].name)
            {
                table.rows[i].pack = place.pack
                table.rows[i].offset = place.offset
            } else {
                unread.append(i)
            }
        }
        let total = unread.reduce(Int64(0)) { $0 + table.rows[$1].stamp.size }
        try intake.read(unread, of: &table) { [progress] in progress($0, total) }
    }

    /// Rewrites what lives in packs that have become too many or too empty; see ``PackTiers``.
    private mutating func mergePacks() throws {
        var live = [Int64](repeating: 0, count: packs.count)
        for row in table.rows where row.pack >= 0 { live[Int(row.pack)] += row.stamp.size }
        for row in table.rows where row.pack <= -2 {
            for slice in parts[Int(-2 - row.pack)] { live[slice.pack] += slice.size }
        }
        let merging = PackTiers.merging(packs.map(\.size), live: live).filter {
            dataset.store.contains(packs[$0].name.digest, size: packs[$0].size)
        }
        if merging.count < 2 { return }
        var mover = PackMover(store: dataset.store, packs: packs, merging: merging, name: dataset.path)
        for i in table.rows.indices {
            let row = table.rows[i]
            if row.pack >= 0, merging.contains(Int(row.pack)) {
                let place = try mover.move(
                    Slice(name: row.name, size: row.stamp.size, pack: Int(row.pack), offset: row.offset))
                table.rows[i].pack = Int32(place.pack)
                table.rows[i].offset = place.offset
            } else if row.pack <= -2 {
                for k in parts[Int(-2 - row.pack)].indices
                where merging.contains(parts[Int(-2 - row.pack)][k].pack) {
                    let place = try mover.move(parts[Int(-2 - row.pack)][k])
                    parts[Int(-2 - row.pack)][k].pack = place.pack
                    parts[Int(-2 - row.pack)][k].offset = place.offset
                }
            }
        }
        // The old ones stay: other states of this dataset, and others, may name them.
        packs += try mover.finish()
    }

    private func write(_ writer: inout ManifestWriter) throws {
        for i in table.rows.indices {
            let row = table.rows[i]
            let content: EntryContent =
                row.pack <= -2
                ? .parts(parts[Int(-2 - row.pack)])
                : row.pack >= 0 ? .whole(pack: Int(row.pack), offset: row.offset) : .nothing
            try writer.add(
                ManifestEntry(
                    path: table.path(i), name: row.name, size: row.mode == .folder ? 0 : row.stamp.size,
                    mode: row.mode.entryMode, content: content))
        }
    }

    private func writeCache(_ pointer: DatasetPointer) throws {
        var cache = DatasetCache.Writer(manifest: ContentName(pointer.manifest.digest), capacity: table.rows.count)
        for i in table.rows.indices where !table.rows[i].isAbsent {
            let row = table.rows[i]
            cache.add(table.path(i), stamp: row.stamp, name: row.name, mode: row.mode, clock: table.clock)
        }
        try cache.write(dataset.cacheFile)
    }
}

/// Copies contents out of packs that go into new ones, each once and verified.
private struct PackMover {
    private let packs: [Pack]
    private let name: String
    private let store: ContentStore
    private var files: PackFiles
    private let writer: PackWriter
    private var moved: [ContentName: (pack: Int, offset: Int64)] = [:]

    init(store: ContentStore, packs: [Pack], merging: Set<Int>, name: String) {
        self.store = store
        self.packs = packs
        self.name = name
        files = PackFiles(store: store)
        writer = PackWriter(store: store)
    }

    mutating func move(_ slice: Slice) throws -> (pack: Int, offset: Int64) {
        if let known = moved[slice.name] { return known }
        var bytes = [UInt8](repeating: 0, count: Int(slice.size))
        let place = try bytes.withUnsafeMutableBytes { buffer in
            try files.read(packs[slice.pack], at: slice.offset, into: buffer, for: name)
            guard ContentName(hashing: UnsafeRawBufferPointer(buffer)) == slice.name else {
                throw DatasetFailure.damaged(name, place: store.path(of: packs[slice.pack].name.digest).string)
            }
            return try writer.append(UnsafeRawBufferPointer(buffer))
        }
        let result = (pack: packs.count + place.pack, offset: place.offset)
        moved[slice.name] = result
        return result
    }

    func finish() throws -> [Pack] { try writer.finish() }
}

/// The table of what stands in the work tree.
enum DatasetTable {
    /// A dataset of one file has one row, named `file`, which is read by the file's own name.
    static let fileName = Array("file".utf8)

    static func scan(_ dataset: Dataset, _ kind: DatasetPointer.Kind) throws -> FileTable {
        if kind == .folder { return try FolderScan.run(dataset.place, dataset.unpacked) }
        var table = FileTable()
        table.clock = FileStamp.now()
        let place = dataset.place.withPlatformString { Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1)) }
        guard let (mode, form, stamp) = FileTable.look(AT_FDCWD, place, dataset.unpacked) else {
            throw FileFailure("read", dataset.place, Errno(rawValue: errno))
        }
        table.paths = fileName
        table.rows = [
            FileTable.Row(
                pathStart: 0, pathLength: UInt16(fileName.count), mode: mode, stamp: stamp, form: form)
        ]
        return table
    }
}
