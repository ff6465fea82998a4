internal import Base
internal import Storage

/// Writes a manifest: parts that a manifest before has too stay where they are, the others go into one index pack.
struct ManifestWriter {
    private static let minimum = 4 << 10
    private static let maximum = 64 << 10

    private let store: ContentStore
    private let packs: [Pack]
    private var known: [ContentName: (pack: Pack, offset: Int64)] = [:]
    private let writer: PackWriter
    private var text: [UInt8] = []
    private var parts: [(name: ContentName, size: Int64, old: Pack?, new: Int, offset: Int64)] = []
    private var used: Set<Int> = []
    private(set) var files: Int64 = 0
    private(set) var size: Int64 = 0

    /// `packs` is the table that entries' contents point into; `before` are manifests whose index packs are here.
    init(store: ContentStore, packs: [Pack], before: [ManifestRoot]) {
        self.store = store
        self.packs = packs
        writer = PackWriter(store: store)
        for root in before {
            let merging = PackTiers.merging(root.indexes.map(\.size), live: nil)
            for part in root.parts where !merging.contains(part.pack) {
                known[part.name] = (root.indexes[part.pack], part.offset)
            }
        }
        text.reserveCapacity(Self.maximum + 8192)
    }

    mutating func add(_ entry: ManifestEntry) throws {
        DatasetPath.escape(entry.path, into: &text)
        text.append(0x09)
        if entry.mode == .folder {
            text += "-\t0\t040000\t-\t0\n".utf8
        } else {
            files += 1
            size += entry.size
            entry.name.appendHex(to: &text)
            text += "\t\(entry.size)\t\(entry.mode.text)\t".utf8
            switch entry.content {
            case .nothing: text += "-\t0\n".utf8
            case .whole(let pack, let offset): place(pack, offset)
            case .parts(let slices):
                text += "parts\t\(slices.count)\n".utf8
                try cut(FNV.of(entry.path))
                for slice in slices {
                    text.append(0x09)
                    slice.name.appendHex(to: &text)
                    text += "\t\(slice.size)\t".utf8
                    place(slice.pack, slice.offset)
                    try cut(slice.name.prefix)
                }
                return
            }
        }
        try cut(FNV.of(entry.path))
    }

    private mutating func place(_ pack: Int, _ offset: Int64) {
        used.insert(pack)
        ContentName.appendHex(packs[pack].name.prefix, to: &text)
        text += "\t\(offset)\n".utf8
    }

    private mutating func cut(_ hash: UInt64) throws {
        if (hash & 127 == 0 && text.count >= Self.minimum) || text.count >= Self.maximum { try endPart() }
    }

    private mutating func endPart() throws {
        if text.isEmpty { return }
        let name = ContentName(Digest.of(text))
        if let place = known[name] {
            parts.append((name, Int64(text.count), place.pack, 0, place.offset))
        } else {
            let place = try text.withUnsafeBytes { try writer.append($0) }
            parts.append((name, Int64(text.count), nil, place.pack, place.offset))
        }
        text.removeAll(keepingCapacity: true)
    }

    /// Writes the root, which is what a pointer names.
    mutating func finish(kind: DatasetPointer.Kind) throws -> (pointer: DatasetPointer, root: ManifestRoot) {
        try endPart()
        let new = try writer.finish()
        var root = ManifestRoot()
        root.packs = Set(used.map { packs[$0] }).sorted { $0.name < $1.name }
        root.indexes = Set(parts.map { $0.old ?? new[$0.new] }).sorted { $0.name < $1.name }
        let prefixes = Set(root.packs.map(\.name.prefix)).count + Set(root.indexes.map(\.name.prefix)).count
        guard prefixes == root.packs.count + root.indexes.count else {
            throw DatasetFailure(.internal, "two packs have names that start alike")
        }
        let places = Dictionary(root.indexes.enumerated().map { ($1, $0) }) { a, _ in a }
        root.parts = parts.compactMap { part in
            places[part.old ?? new[part.new]].map {
                ManifestRoot.Part(name: part.name, size: part.size, pack: $0, offset: part.offset)
            }
        }
        let bytes = root.bytes
        let digest = try store.insert(bytes)
        let manifest = ContentID(digest, size: Int64(bytes.count))
        return (DatasetPointer(kind: kind, files: files, manifest: manifest, size: size), root)
    }
}

/// Which packs are merged, so that many small changes do not leave many small packs.
enum PackTiers {
    /// At most this many of one size class stay.
    static let width = 8

    /// The class of a pack's size: under 256 KiB, 1, 4, 16, 64 MiB; nil for a full one.
    private static func tier(_ size: Int64) -> Int? {
        var limit: Int64 = 256 << 10
        for tier in 0..<5 {
            if size < limit { return tier }
            limit *= 4
        }
        return nil
    }

    /// The places of the packs to be rewritten: all of a class that has ``width``, and with them those of which less than a
    /// quarter lives.
    static func merging(_ sizes: [Int64], live: [Int64]?) -> Set<Int> {
        var classes: [Int: [Int]] = [:]
        for (i, size) in sizes.enumerated() where live.map({ $0[i] > 0 }) ?? true {
            if let tier = tier(size) { classes[tier, default: []].append(i) }
        }
        var merging = Set(classes.values.filter { $0.count >= width }.joined())
        if let live, !merging.isEmpty {
            for i in sizes.indices where live[i] > 0 && live[i] < sizes[i] / 4 { merging.insert(i) }
        }
        return merging
    }
}
