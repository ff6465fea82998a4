public import Storage

/// What a merge of two states of a dataset came to.
public struct DatasetMerged: Sendable {
    public let pointer: DatasetPointer
    /// Paths that both sides changed in different ways; the result has ours.
    public let conflicts: [String]
}

/// Merges two manifests path by path: what only one side has changed is taken from it.
public enum DatasetMerge {
    /// The three manifests, and what they need to be read, must be in the store; nil for `base` stands for no dataset.
    public static func run(
        base: DatasetPointer?, ours: DatasetPointer, theirs: DatasetPointer, name: String, store: ContentStore
    ) throws -> DatasetMerged {
        let roots = try [base, ours, theirs].map { pointer in
            try pointer.map { try Dataset.root($0, name: name, store: store) } ?? ManifestRoot()
        }
        var packs: [Pack] = []
        var numbers: [Pack: Int] = [:]
        let tables = roots.map { root in
            root.packs.map { pack -> Int in
                if let known = numbers[pack] { return known }
                numbers[pack] = packs.count
                packs.append(pack)
                return packs.count - 1
            }
        }
        var writer = ManifestWriter(store: store, packs: packs, before: roots)
        var sides = try roots.indices.map { try Side(roots[$0], name: name, store: store, table: tables[$0]) }
        var order = PathOrder()
        var conflicts: [String] = []
        while let path = sides.compactMap({ $0.entry?.path }).min(by: { $0.lexicographicallyPrecedes($1) }) {
            let entries = try sides.indices.map { try sides[$0].take(path) }
            let (entry, isConflict) = choose(base: entries[0], ours: entries[1], theirs: entries[2])
            if isConflict { conflicts.append(DatasetPath.display(path)) }
            guard let entry else { continue }
            if order.next(path) == nil {
                try writer.add(entry)
            } else if !isConflict {
                // One side has a file where the other has a folder, or the names differ in case only.
                conflicts.append(DatasetPath.display(path))
            }
        }
        return DatasetMerged(pointer: try writer.finish(kind: ours.kind).pointer, conflicts: conflicts)
    }

    private static func choose(base: ManifestEntry?, ours: ManifestEntry?, theirs: ManifestEntry?) -> (
        entry: ManifestEntry?, isConflict: Bool
    ) {
        if isSame(ours, theirs) || isSame(base, theirs) { return (ours, false) }
        if isSame(base, ours) { return (theirs, false) }
        return (ours, true)
    }

    private static func isSame(_ a: ManifestEntry?, _ b: ManifestEntry?) -> Bool {
        guard let a, let b else { return a == nil && b == nil }
        return a.isSame(as: b)
    }

    /// One of the three manifests, with its places in the common table of packs.
    private struct Side {
        private var reader: ManifestReader
        private let table: [Int]
        private(set) var entry: ManifestEntry?

        init(_ root: ManifestRoot, name: String, store: ContentStore, table: [Int]) throws {
            reader = try ManifestReader(root, name: name, store: store)
            self.table = table
            entry = try reader.next()
        }

        /// The entry of that path, if it is the next one.
        mutating func take(_ path: [UInt8]) throws -> ManifestEntry? {
            guard var found = entry, found.path == path else { return nil }
            entry = try reader.next()
            switch found.content {
            case .nothing: break
            case .whole(let pack, let offset): found.content = .whole(pack: table[pack], offset: offset)
            case .parts(let slices):
                found.content = .parts(
                    slices.map { Slice(name: $0.name, size: $0.size, pack: table[$0.pack], offset: $0.offset) })
            }
            return found
        }
    }
}
