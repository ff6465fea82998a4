internal import Base
internal import Storage
internal import SystemPackage

/// One checkout: compare, decide, then remove and write.
struct DatasetCheckout {
    private enum Fate: UInt8 { case absent, keep, write, conflict, later }

    private let dataset: Dataset
    private let pointer: DatasetPointer
    private let force: Bool
    /// How files are to stand in the work tree.
    private let form: FileTable.Form
    /// Files that are right and stand in another form.
    private var others: [Int] = []
    private var root = ManifestRoot()
    /// What the dataset should hold.
    private var wanted = FileTable()
    private var parts: [[Slice]] = []
    private var fates: [Fate] = []
    /// For each wanted file the row of the unchanged earlier state of it that is there; -1 for none.
    private var origins: [Int32] = []
    /// What is there.
    private var present = FileTable()
    private var removals: [[UInt8]] = []
    private var kept: [[UInt8]] = []

    init(_ dataset: Dataset, _ pointer: DatasetPointer, link: DataSettings.Link, force: Bool) {
        self.dataset = dataset
        self.pointer = pointer
        self.force = force
        form =
            switch link {
            case .reflink, .copy: .own
            case .hardlink: dataset.unpacked.isOnFileSystem(of: dataset.place) ? .hardLink : .own
            case .symlink: .symbolicLink
            }
    }

    // MARK: Deciding

    mutating func decide() throws {
        root = try dataset.root(pointer)
        try readManifest()
        if let found = dataset.kindOfPlace() {
            guard found == (pointer.kind == .folder ? .directory : .file) else {
                throw DatasetFailure(
                    .user, "\(dataset.path) stands where the dataset belongs",
                    hints: ["move it away, then run the command again"])
            }
            present = try DatasetTable.scan(dataset, pointer.kind)
        }
        try compare()
        let needs = PackNeeds(root.packs, dataset)
        for w in others where needs.has(slices(wanted.rows[w])) { fates[w] = .write }
    }

    /// Leaves a file that is right, unless it stands in another form.
    private mutating func keep(_ w: Int, _ row: FileTable.Row) {
        fates[w] = .keep
        wanted.rows[w].stamp = row.stamp
        if row.mode != .file { return }
        let form = row.stamp.size > 0 ? form : .own
        // One whose shared content somebody has written to, and added since, leads to what has another's name.
        let isOurs =
            row.form != .own && Files.status(dataset.unpacked.path(of: wanted.rows[w].name))?.inode == row.stamp.inode
        // A second name that is none of ours is the user's.
        let isRight = form == .own ? row.form != .symbolicLink && !isOurs : row.form == form && isOurs
        if !isRight { others.append(w) }
    }

    private mutating func readManifest() throws {
        var reader = try ManifestReader(root, name: dataset.path, store: dataset.store)
        var files: Int64 = 0
        var size: Int64 = 0
        while let entry = try reader.next() {
            if entry.mode != .folder { files += 1 }
            size = size.addingReportingOverflow(entry.size).partialValue
            if pointer.kind == .file, entry.path != DatasetTable.fileName || entry.mode.rawValue > 1 {
                throw DatasetFailure.manifest(dataset.path, line: 1, "is none of a dataset of one file")
            }
            var row = FileTable.Row(
                pathStart: wanted.paths.count, pathLength: UInt16(entry.path.count),
                mode: FileTable.Mode(rawValue: entry.mode.rawValue) ?? .file, stamp: .unknown)
            wanted.paths += entry.path
            row.stamp.size = entry.size
            row.name = entry.name
            switch entry.content {
            case .nothing: break
            case .whole(let pack, let offset):
                row.pack = Int32(pack)
                row.offset = offset
            case .parts(let slices):
                row.pack = Int32(-2 - parts.count)
                parts.append(slices)
            }
            wanted.rows.append(row)
        }
        guard files == pointer.files, size == pointer.size else {
            throw DatasetFailure.manifest(
                dataset.path, line: 0,
                "holds \(files) files of \(size) bytes, the pointer says \(pointer.files) of \(pointer.size)")
        }
    }

    /// Goes through both tables at once; what cannot be told by stamps is read, on several threads, before it is decided.
    private mutating func compare() throws {
        let selection = try dataset.selection()
        fates = [Fate](repeating: .absent, count: wanted.rows.count)
        origins = [Int32](repeating: -1, count: wanted.rows.count)
        let cache = DatasetCache(dataset.cacheFile)
        var cursor = DatasetCache.Cursor(cache)
        var unsure: [(row: Int, wanted: Int?, known: ContentName?)] = []
        var i = 0
        for w in wanted.rows.indices {
            let path = wanted.path(w)
            let isHere = path.withUnsafeBytes { path -> Bool in
                while i < present.rows.count, present.compare(i, to: path) < 0 {
                    meetStranger(i, &cursor, &unsure)
                    i += 1
                }
                return i < present.rows.count && present.compare(i, to: path) == 0
            }
            guard isHere else {
                if selection.contains(path) { fates[w] = .write }
                continue
            }
            meet(i, w, path.withUnsafeBytes { cursor.find($0) }, &unsure)
            i += 1
        }
        while i < present.rows.count {
            meetStranger(i, &cursor, &unsure)
            i += 1
        }
        try settle(unsure)
    }

    /// A file of the work tree that the manifest has too.
    private mutating func meet(
        _ i: Int, _ w: Int, _ known: DatasetCache.Entry?,
        _ unsure: inout [(row: Int, wanted: Int?, known: ContentName?)]
    ) {
        let row = present.rows[i]
        if row.mode == .folder { return fates[w] = .keep }
        if let known, known.stamp == row.stamp, known.mode == row.mode {
            let isSame = known.name == wanted.rows[w].name && row.mode == wanted.rows[w].mode
            present.rows[i].name = known.name
            origins[w] = Int32(i)
            if isSame { keep(w, row) } else { fates[w] = .write }
        } else if row.mode == .dangling {
            fates[w] = .write
        } else if row.mode == .other {
            fates[w] = .conflict
            kept.append(present.path(i))
        } else {
            unsure.append((i, w, known?.name))
        }
    }

    /// A file of the work tree that the manifest does not have: ours from before, or the user's.
    private mutating func meetStranger(
        _ i: Int, _ cursor: inout DatasetCache.Cursor, _ unsure: inout [(row: Int, wanted: Int?, known: ContentName?)]
    ) {
        let row = present.rows[i]
        let path = present.path(i)
        guard let known = path.withUnsafeBytes({ cursor.find($0) }) else { return }
        if row.mode == .folder || row.mode == .dangling || (known.stamp == row.stamp && known.mode == row.mode) {
            removals.append(path)
        } else if row.mode != .other {
            unsure.append((i, nil, known.name))
        }
    }

    private mutating func settle(_ unsure: [(row: Int, wanted: Int?, known: ContentName?)]) throws {
        if unsure.isEmpty { return }
        let names = try ContentNames.of(unsure.map(\.row), present, dataset, pointer.kind)
        for (item, name) in zip(unsure, names) {
            let row = present.rows[item.row]
            if let w = item.wanted {
                if name == item.known {
                    present.rows[item.row].name = name
                    origins[w] = Int32(item.row)
                }
                if name == wanted.rows[w].name, row.mode == wanted.rows[w].mode {
                    keep(w, row)
                } else {
                    // The same bytes under another mode are no work of the user's that could be lost.
                    fates[w] = force || name == item.known || name == wanted.rows[w].name ? .write : .conflict
                }
                if fates[w] == .conflict { kept.append(present.path(item.row)) }
            } else if name == item.known {
                removals.append(present.path(item.row))
            } else {
                kept.append(present.path(item.row))
            }
        }
    }

    /// The stretches of packs that a file lies in.
    private func slices(_ row: FileTable.Row) -> [Slice] {
        if row.pack <= -2 { return parts[Int(-2 - row.pack)] }
        return row.pack < 0
            ? [] : [Slice(name: row.name, size: row.stamp.size, pack: Int(row.pack), offset: row.offset)]
    }

    /// Leaves files alone whose content is not here.
    mutating func leave() {
        let needs = PackNeeds(root.packs, dataset)
        for w in wanted.rows.indices where fates[w] == .write && !needs.has(slices(wanted.rows[w])) {
            fates[w] = .later
        }
    }

    /// What is needed and not here.
    func needs() -> PackNeeds {
        var needs = PackNeeds(root.packs, dataset)
        for w in wanted.rows.indices where fates[w] == .write { needs.add(slices(wanted.rows[w])) }
        return needs
    }

    // MARK: Doing

    mutating func carryOut(progress: @escaping @Sendable (Int64, Int64) -> Void) throws -> DatasetCheckedOut {
        var result = DatasetCheckedOut()
        if pointer.kind == .folder { try Files.makeDirectory(dataset.place) }
        try clean()
        result.removed = try remove()
        let todo = wanted.rows.indices.filter { fates[$0] == .write }
        let writer = DatasetFiles(
            dataset, kind: pointer.kind, form: form, packs: root.packs, parts: parts, progress: progress)
        try writer.write(todo, of: &wanted)
        result.written = todo.count
        result.bytes = todo.reduce(0) { $0 + (wanted.rows[$1].mode == .folder ? 0 : wanted.rows[$1].stamp.size) }
        result.kept = kept.map { DatasetPath.display($0) }.sorted()
        result.waiting = fates.count { $0 == .later }
        try writeCache()
        return result
    }

    mutating func clear() throws -> DatasetCheckedOut {
        var result = DatasetCheckedOut()
        if dataset.kindOfPlace() == (pointer.kind == .folder ? .directory : .file) {
            present = try DatasetTable.scan(dataset, pointer.kind)
            try compare()
            if pointer.kind == .folder {
                try clean()
                result.removed = try remove()
                // Stays when something else is in it.
                dataset.place.withPlatformString { _ = rmdir($0) }
            } else if !removals.isEmpty {
                Files.remove(dataset.place)
                result.removed = 1
            }
            result.kept = kept.map { pointer.kind == .folder ? DatasetPath.display($0) : "" }.sorted()
        }
        Files.remove(dataset.cacheFile)
        return result
    }

    /// Takes away what a checkout that was stopped has left.
    private func clean() throws {
        if present.leftovers.isEmpty { return }
        var folders = try TreeFolders(dataset.place)
        for path in present.leftovers {
            let (folder, name) = try folders.folder(of: path)
            unlinkat(folder.descriptor, name, 0)
        }
    }

    private func remove() throws -> Int {
        if removals.isEmpty { return 0 }
        var folders = try TreeFolders(dataset.place)
        var emptied: Set<[UInt8]> = []
        for path in removals {
            let (folder, name) = try folders.folder(of: path)
            if unlinkat(folder.descriptor, name, 0) != 0, errno == EISDIR || errno == EPERM {
                unlinkat(folder.descriptor, name, AT_REMOVEDIR)
            }
            var above = path
            while let slash = above.lastIndex(of: 0x2f) {
                above = Array(above[..<slash])
                if !emptied.insert(above).inserted { break }
            }
        }
        // Deeper ones first; those that still hold something stay.
        for path in emptied.sorted(by: { $0.count > $1.count }) {
            if let (folder, name) = try? folders.folder(of: path) { unlinkat(folder.descriptor, name, AT_REMOVEDIR) }
        }
        return removals.count
    }

    private func writeCache() throws {
        // What is between two states has none's name: `add` refuses it, and the next checkout goes on.
        let isWhole = !fates.contains(.later)
        var cache = DatasetCache.Writer(
            manifest: isWhole ? ContentName(pointer.manifest.digest) : .none, capacity: wanted.rows.count)
        let clock = FileStamp.now()
        for w in wanted.rows.indices where fates[w] != .absent {
            if fates[w] == .later {
                guard origins[w] >= 0 else { continue }
                let row = present.rows[Int(origins[w])]
                cache.add(wanted.path(w), stamp: row.stamp, name: row.name, mode: row.mode, clock: present.clock)
                continue
            }
            let row = wanted.rows[w]
            let stamp = fates[w] == .conflict ? FileStamp.unknown : row.stamp
            cache.add(wanted.path(w), stamp: stamp, name: row.name, mode: row.mode, clock: clock)
        }
        try cache.write(dataset.cacheFile)
    }
}
