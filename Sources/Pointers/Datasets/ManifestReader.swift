internal import Base
internal import Storage
internal import SystemPackage

/// Reads a manifest from its parts, entry by entry, and checks each: memory does not grow with the number of entries.
struct ManifestReader {
    let root: ManifestRoot
    private let name: String
    private let store: ContentStore
    private let packs: [UInt64: Int]
    private var order: PathOrder
    private var part = 0
    private var buffer: [UInt8] = []
    private var at = 0
    private var line = 0
    private var files: PackFiles

    /// `name` is the dataset's, for messages.
    init(_ root: ManifestRoot, name: String, store: ContentStore, checksCase: Bool = true) throws(DatasetFailure) {
        self.root = root
        self.name = name
        self.store = store
        order = PathOrder(checksCase: checksCase)
        var packs: [UInt64: Int] = [:]
        for (i, pack) in root.packs.enumerated() where packs.updateValue(i, forKey: pack.name.prefix) != nil {
            throw .manifest(name, line: 0, "names two packs whose names start alike")
        }
        self.packs = packs
        files = PackFiles(store: store)
    }

    /// The next entry; nil at the end.
    mutating func next() throws -> ManifestEntry? {
        guard let range = try nextLine() else { return nil }
        let parsed = try parse(range)
        guard case .parts = parsed.entry.content else { return parsed.entry }
        var entry = parsed.entry
        var slices: [Slice] = []
        var total: Int64 = 0
        for _ in 0..<parsed.parts {
            guard let range = try nextLine() else { throw bad("is not there: the manifest ends inside a file") }
            let slice = try parsePart(range)
            let (sum, overflow) = total.addingReportingOverflow(slice.size)
            guard !overflow, sum <= entry.size else { throw bad("makes its file larger than it says") }
            total = sum
            slices.append(slice)
        }
        guard total == entry.size else { throw bad("ends a file that should have \(entry.size) bytes at \(total)") }
        entry.content = .parts(slices)
        return entry
    }

    private func bad(_ reason: String) -> DatasetFailure { .manifest(name, line: line, reason) }

    /// The next line of the parts in the buffer, without its newline.
    private mutating func nextLine() throws -> Range<Int>? {
        if at == buffer.count {
            guard part < root.parts.count else { return nil }
            let place = root.parts[part]
            part += 1
            let pack = root.indexes[place.pack]
            buffer = [UInt8](repeating: 0, count: Int(place.size))
            let good = try buffer.withUnsafeMutableBytes { bytes -> Bool in
                try files.read(pack, at: place.offset, into: bytes, for: name)
                return ContentName(hashing: UnsafeRawBufferPointer(bytes)) == place.name
            }
            guard good else { throw DatasetFailure.damaged(name, place: store.path(of: pack.name.digest).string) }
            at = 0
        }
        line += 1
        let start = at
        let end = buffer.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress, let found = memchr(base + start, 0x0a, bytes.count - start) else {
                return nil
            }
            return UnsafeRawPointer(found) - base
        }
        guard let end else { throw bad("has no end") }
        at = end + 1
        return start..<end
    }

    private mutating func parse(_ range: Range<Int>) throws -> (entry: ManifestEntry, parts: Int64) {
        let fields = Self.fields(buffer, range)
        guard fields.count == 6 else { throw bad("must have 6 fields") }
        let (path, entry, parts) = try buffer.withUnsafeBytes { bytes -> ([UInt8], ManifestEntry, Int64) in
            func field(_ i: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[fields[i]]) }
            guard let path = DatasetPath.unescape(field(0)) else { throw bad("spells its path wrong") }
            if let problem = DatasetPath.problem(path) { throw bad("(\(DatasetPath.display(path))) \(problem)") }
            guard let mode = EntryMode(field(3)) else { throw bad("needs a mode such as 100644") }
            guard let size = ManifestRoot.number(field(2)) else { throw bad("needs a size") }
            guard let number = ManifestRoot.number(field(5)) else { throw bad("needs an offset") }
            if mode == .folder {
                guard field(1).elementsEqual([0x2d]), field(4).elementsEqual([0x2d]), size == 0, number == 0 else {
                    throw bad("gives an empty folder a content")
                }
                return (path, ManifestEntry(path: path, name: .none, size: 0, mode: mode, content: .nothing), 0)
            }
            guard let name = ContentName(hex: field(1)) else { throw bad("needs an oid of 64 hex digits") }
            var entry = ManifestEntry(path: path, name: name, size: size, mode: mode, content: .nothing)
            if field(4).elementsEqual([0x2d]) {
                guard size == 0, number == 0 else { throw bad("has no content, but a size") }
            } else if field(4).elementsEqual("parts".utf8) {
                guard number > 0, number <= size, mode != .link else { throw bad("has a wrong number of parts") }
                entry.content = .parts([])
                return (path, entry, number)
            } else {
                guard size > 0 else { throw bad("has a content, but no size") }
                entry.content = .whole(pack: try pack(field(4), size: size, offset: number), offset: number)
            }
            return (path, entry, 0)
        }
        if let problem = order.next(path) { throw bad("(\(DatasetPath.display(path))) \(problem)") }
        return (entry, parts)
    }

    private func pack(_ text: UnsafeRawBufferPointer, size: Int64, offset: Int64) throws -> Int {
        guard let prefix = ContentName.word(hex: text), let pack = packs[prefix] else {
            throw bad("names a pack that the root does not have")
        }
        guard size <= root.packs[pack].size, offset <= root.packs[pack].size - size else {
            throw bad("lies beyond the end of its pack")
        }
        return pack
    }

    private func parsePart(_ range: Range<Int>) throws -> Slice {
        let fields = Self.fields(buffer, range)
        guard fields.count == 5, fields[0].isEmpty else { throw bad("must be a part of the file above") }
        return try buffer.withUnsafeBytes { bytes in
            func field(_ i: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[fields[i]]) }
            guard let name = ContentName(hex: field(1)), let size = ManifestRoot.number(field(2)),
                size > 0, size <= 64 << 20, let offset = ManifestRoot.number(field(4))
            else { throw bad("must be a part of the file above") }
            return Slice(name: name, size: size, pack: try pack(field(3), size: size, offset: offset), offset: offset)
        }
    }

    private static func fields(_ buffer: [UInt8], _ range: Range<Int>) -> [Range<Int>] {
        var fields: [Range<Int>] = []
        fields.reserveCapacity(6)
        var start = range.lowerBound
        for i in range where buffer[i] == 0x09 {
            fields.append(start..<i)
            start = i + 1
        }
        fields.append(start..<range.upperBound)
        return fields
    }
}
