/// One folder of a notes tree, kept as the bytes that git stores.
///
/// A hundred thousand notes lie in sixty-five thousand folders: what is not looked at is not decoded.
struct NotesFolder {
    /// One entry: a note, a folder of notes, or something else that somebody put there.
    struct Entry {
        /// `mode SP name NUL id`.
        let bytes: ArraySlice<UInt8>
        let name: ArraySlice<UInt8>
        let rawID: ArraySlice<UInt8>
        let isDirectory: Bool

        /// A file, or a folder.
        init(_ name: some Sequence<UInt8>, isDirectory: Bool, rawID: some Sequence<UInt8>) {
            var bytes = Array((isDirectory ? "40000 " : "100644 ").utf8)
            let start = bytes.count
            bytes += name
            let end = bytes.count
            bytes.append(0)
            bytes += rawID
            self.bytes = bytes[...]
            self.name = bytes[start..<end]
            self.rawID = bytes[(end + 1)...]
            self.isDirectory = isDirectory
        }

        fileprivate init(
            bytes: ArraySlice<UInt8>, name: ArraySlice<UInt8>, rawID: ArraySlice<UInt8>, isDirectory: Bool
        ) {
            self.bytes = bytes
            self.name = name
            self.rawID = rawID
            self.isDirectory = isDirectory
        }

        var id: ObjectID { ObjectID(bytes: rawID) }
        /// The two digits that decide which folder the entry belongs to.
        var prefix: ArraySlice<UInt8> { name.prefix(2) }
        /// Whether it is a folder of notes: two hex digits.
        var isFolder: Bool { isDirectory && name.count == 2 && name.allSatisfy(Self.isDigit) }
        /// Whether it is a note below a folder whose names have `length` digits.
        func isNote(_ length: Int) -> Bool { !isDirectory && name.count == length && name.allSatisfy(Self.isDigit) }
        /// The same note, one folder deeper.
        var deeper: Entry { Entry(name.dropFirst(2), isDirectory: false, rawID: rawID) }

        private static func isDigit(_ unit: UInt8) -> Bool { (48...57).contains(unit) || (97...102).contains(unit) }

        /// Git's order: a folder stands where its name with a slash would.
        static func precedes(_ a: Entry, _ b: Entry) -> Bool {
            if !a.isDirectory, !b.isDirectory { return a.name.lexicographicallyPrecedes(b.name) }
            return (a.isDirectory ? a.name + [0x2f] : a.name).lexicographicallyPrecedes(
                b.isDirectory ? b.name + [0x2f] : b.name)
        }
    }

    /// The tree that this was read from; nil when it was never stored.
    var id: ObjectID?
    /// In git's order.
    var entries: [Entry]
    private var stored: [UInt8]?

    init(_ entries: [Entry]) { self.entries = entries }

    /// Reads a tree object's bytes.
    init(bytes: [UInt8], id: ObjectID) throws {
        self.id = id
        stored = bytes
        entries = []
        let idLength = id.hex.utf8.count / 2
        var at = 0
        while at < bytes.count {
            guard let space = bytes[at...].firstIndex(of: 0x20), let zero = bytes[space...].firstIndex(of: 0),
                zero + idLength < bytes.count
            else { throw GitFailure.malformed(object: id.hex, reason: "a tree entry ends early") }
            let end = zero + 1 + idLength
            entries.append(
                Entry(
                    bytes: bytes[at..<end], name: bytes[space + 1..<zero], rawID: bytes[zero + 1..<end],
                    isDirectory: bytes[at..<space].elementsEqual("40000".utf8)))
            at = end
        }
    }

    /// Whether a folder with these entries is what was stored.
    func isStored(as bytes: [UInt8]) -> Bool { stored == bytes }

    /// The runs of entries that share their first two digits.
    var groups: Groups { Groups(entries: entries[...]) }

    struct Groups: Sequence, IteratorProtocol {
        var entries: ArraySlice<Entry>

        mutating func next() -> ArraySlice<Entry>? {
            guard let prefix = entries.first?.prefix else { return nil }
            let group = entries.prefix { $0.prefix.elementsEqual(prefix) }
            entries = entries[group.endIndex...]
            return group
        }
    }

    /// Takes the groups of two folders together, in order; one of the two is empty where only one folder has any.
    static func pairs(
        _ a: NotesFolder, _ b: NotesFolder,
        _ body: (_ a: ArraySlice<Entry>, _ b: ArraySlice<Entry>) throws -> Void
    ) rethrows {
        var (left, right) = (a.groups, b.groups)
        var (mine, theirs) = (left.next(), right.next())
        while let next = [mine, theirs].compactMap({ $0?.first?.prefix }).min(by: { $0.lexicographicallyPrecedes($1) })
        {
            let isMine = mine?.first?.prefix.elementsEqual(next) ?? false
            let isTheirs = theirs?.first?.prefix.elementsEqual(next) ?? false
            try body(isMine ? mine ?? [] : [], isTheirs ? theirs ?? [] : [])
            if isMine { mine = left.next() }
            if isTheirs { theirs = right.next() }
        }
    }
}
