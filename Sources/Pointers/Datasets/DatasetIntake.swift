internal import Base
internal import Storage
internal import SystemPackage

/// Reads files and puts those contents that are not stored yet into packs.
///
/// Several threads read and hash; contents go into the packs in the order of the paths, so that the same folder gives
/// the same packs wherever it is added.
final class DatasetIntake: @unchecked Sendable {
    // `places`, `parts`, `added` and the writer are touched only by the thread whose turn it is, and alone before and after.

    /// Files up to this size are kept whole.
    static let wholeSize: Int64 = 1 << 20
    private static let batchSize: Int64 = 2 << 20
    private static let batchCount = 256

    /// Where each content lies: a pack of the table before, or a new one behind them.
    private var places: [ContentName: (pack: Int32, offset: Int64)] = [:]
    private(set) var parts: [[Slice]]
    /// Bytes that were not stored before.
    private(set) var added: Int64 = 0
    private let writer: PackWriter
    private let oldPacks: Int
    private let place: FilePath
    private let name: String
    private let kind: DatasetPointer.Kind
    private let unpacked: Unpacked

    init(_ dataset: Dataset, kind: DatasetPointer.Kind, oldPacks: Int, parts: [[Slice]]) {
        writer = PackWriter(store: dataset.store)
        self.oldPacks = oldPacks
        self.parts = parts
        self.kind = kind
        place = dataset.place
        name = dataset.path
        unpacked = dataset.unpacked
    }

    /// Says where a content of the manifest before lies.
    func know(_ content: ContentName, _ pack: Int, _ offset: Int64) { places[content] = (Int32(pack), offset) }

    func known(_ content: ContentName) -> (pack: Int32, offset: Int64)? { places[content] }

    /// Reads the files at these places of the table and says there what they are and where they lie.
    func read(_ wanted: [Int], of table: inout FileTable, progress: @escaping @Sendable (Int64) -> Void) throws {
        let tasks = Self.tasks(wanted, table)
        let paths = table.paths
        let turnstile = Turnstile()
        try table.rows.withUnsafeMutableBufferPointer { rows in
            // Each task has rows of its own.
            nonisolated(unsafe) let rows = rows
            try Workers.run { [self] _ in
                do {
                    var reader = try StableReader(place, name: name, kind: kind, unpacked: unpacked)
                    var buffer: [UInt8] = []
                    while let number = turnstile.take(below: tasks.count) {
                        let task = tasks[number].map { wanted[$0] }
                        try read(task, rows, paths, &reader, &buffer, turnstile, number, progress)
                    }
                } catch {
                    turnstile.breakOff()
                    throw error
                }
            }
        }
    }

    private static func tasks(_ wanted: [Int], _ table: FileTable) -> [Range<Int>] {
        var tasks: [Range<Int>] = []
        var start = 0
        var size: Int64 = 0
        for (i, row) in wanted.enumerated() {
            let isLarge = table.rows[row].stamp.size > wholeSize
            if i > start, isLarge || size > batchSize || i - start >= batchCount {
                tasks.append(start..<i)
                start = i
                size = 0
            }
            size += table.rows[row].stamp.size
            if isLarge {
                tasks.append(start..<i + 1)
                start = i + 1
                size = 0
            }
        }
        if start < wanted.count { tasks.append(start..<wanted.count) }
        return tasks
    }

    private func read(
        _ task: [Int], _ rows: UnsafeMutableBufferPointer<FileTable.Row>, _ paths: [UInt8],
        _ reader: inout StableReader, _ buffer: inout [UInt8], _ turnstile: Turnstile, _ number: Int,
        _ progress: (Int64) -> Void
    ) throws {
        func path(_ i: Int) -> [UInt8] { Array(paths[rows[i].pathStart..<rows[i].pathStart + Int(rows[i].pathLength)]) }
        if task.count == 1, rows[task[0]].stamp.size > Self.wholeSize {
            return try turnstile.pass(number) { try cut(path(task[0]), &rows[task[0]], &reader, progress) }
        }
        buffer.removeAll(keepingCapacity: true)
        var ranges: [Range<Int>] = []
        for i in task {
            let start = buffer.count
            let path = path(i)
            try reader.read(path, isLink: rows[i].mode == .link, stamp: &rows[i].stamp, into: &buffer)
            if rows[i].mode == .link, let problem = DatasetPath.problem(target: Array(buffer[start...]), of: path) {
                throw DatasetFailure.unstorable("\(name)/\(DatasetPath.display(path))", problem)
            }
            if rows[i].mode == .link { rows[i].stamp.size = Int64(buffer.count - start) }
            ranges.append(start..<buffer.count)
            rows[i].name = buffer.withUnsafeBytes {
                ContentName(hashing: UnsafeRawBufferPointer(rebasing: $0[start...]))
            }
            rows[i].isKnown = true
        }
        try turnstile.pass(number) {
            try buffer.withUnsafeBytes { bytes in
                for (i, range) in zip(task, ranges) where !range.isEmpty {
                    let place = try store(rows[i].name, UnsafeRawBufferPointer(rebasing: bytes[range]))
                    rows[i].pack = place.pack
                    rows[i].offset = place.offset
                }
            }
        }
        progress(Int64(buffer.count))
    }

    private func store(_ content: ContentName, _ bytes: UnsafeRawBufferPointer) throws -> (pack: Int32, offset: Int64) {
        if let known = places[content] { return known }
        let new = try writer.append(bytes)
        let place = (pack: Int32(oldPacks + new.pack), offset: new.offset)
        places[content] = place
        added += Int64(bytes.count)
        return place
    }

    /// Cuts a large file into parts; the whole is hashed beside.
    private func cut(
        _ path: [UInt8], _ row: inout FileTable.Row, _ reader: inout StableReader, _ progress: (Int64) -> Void
    ) throws {
        let whole = WholeHash()
        var slices: [Slice] = []
        try reader.readPieces(
            path, stamp: &row.stamp,
            restart: {
                whole.hasher = Digest.Hasher()
                slices = []
            }
        ) { file, _ in
            let window = Window()
            var total: Int64 = 0
            while true {
                let fresh = try window.fill(file, path: name + "/" + DatasetPath.display(path))
                total += Int64(fresh.count)
                progress(Int64(fresh.count))
                let found = SliceList()
                try Workers.run(2) { [self] i in
                    if i == 1 { return whole.hasher.update(UnsafeRawBufferPointer(rebasing: window.bytes[fresh])) }
                    try cut(window, into: found)
                }
                slices += found.slices
                if window.isEnd { return total }
            }
        }
        row.name = ContentName(whole.hasher.finish())
        row.isKnown = true
        row.pack = Int32(-2 - parts.count)
        parts.append(slices)
    }

    private final class WholeHash: @unchecked Sendable {
        // One thread uses it at a time.
        var hasher = Digest.Hasher()
    }

    private final class SliceList: @unchecked Sendable {
        // One thread uses it at a time.
        var slices: [Slice] = []
    }

    private func cut(_ window: Window, into found: SliceList) throws {
        while let length = Chunker.cut(window.rest, isEnd: window.isEnd) {
            let part = UnsafeRawBufferPointer(rebasing: window.rest[..<length])
            let content = ContentName(hashing: part)
            let place = try store(content, part)
            found.slices.append(
                Slice(name: content, size: Int64(length), pack: Int(place.pack), offset: place.offset))
            window.start += length
        }
    }

    /// The packs that were made, each durable.
    func finish() throws -> [Pack] { try writer.finish() }
}

/// A stretch of a file in memory; what has not been cut yet moves to its beginning.
final class Window: @unchecked Sendable {
    // Filled by one thread while no other looks.
    private static let size = 8 << 20
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Window.size, alignment: 4096)
    private var end = 0
    var start = 0
    private(set) var isEnd = false

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[start..<end]) }

    /// Reads on until it is full or the file ends; returns where the new bytes stand.
    func fill(_ file: FileHandle, path: String) throws -> Range<Int> {
        let kept = end - start
        if kept > 0, let base = memory.baseAddress { memmove(base, base + start, kept) }
        start = 0
        end = kept
        while end < memory.count, let base = memory.baseAddress {
            let count = posixRead(file.descriptor, base + end, memory.count - end)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFailure("read", FilePath(path), Errno(rawValue: errno)) }
            if count == 0 {
                isEnd = true
                break
            }
            end += count
        }
        return kept..<end
    }
}
