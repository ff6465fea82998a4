internal import Base
public import SystemPackage

/// The file `index` of a work tree (gitformat-index(5)), versions 2 to 4, read as a whole.
///
/// For tens of thousands of entries git's own plumbing either forgets the stat data (`update-index --index-info`) or runs the
/// filter once more for each. A split or sparse index is not read: then git has to do it.
public struct IndexFile: Sendable {
    /// One entry; `path` holds the bytes as they are on the disk.
    public struct Entry: Sendable {
        public var path: [UInt8]
        public var mode: UInt32
        public var id: ObjectID
        /// 0, or 1 to 3 in a conflict.
        public var stage: Int
        /// What the file was when it was added; all zero when nobody knows.
        var stat: [UInt32]
        /// assume-valid (0x8000) of the first flags, skip-worktree and intent-to-add of the second.
        var flags: UInt16 = 0
        var moreFlags: UInt16 = 0

        public init(path: [UInt8], mode: UInt32, id: ObjectID, stat: FileStat) {
            self.path = path
            self.mode = mode
            self.id = id
            self.stat = stat.fields
            stage = 0
        }

        init(path: [UInt8], mode: UInt32, id: ObjectID, stage: Int, stat: [UInt32], flags: UInt16, moreFlags: UInt16) {
            self.path = path
            self.mode = mode
            self.id = id
            self.stage = stage
            self.stat = stat
            self.flags = flags
            self.moreFlags = moreFlags
        }

        /// The size of the work-tree file when it was added, cut to 32 bits.
        public var sizeInWorkTree: UInt32 { stat[8] }
        public var isSkipped: Bool { moreFlags & 0x4000 != 0 }
        public var isFile: Bool { mode & 0o170000 == 0o100000 }
    }

    public private(set) var entries: [Entry] = []
    private let format: ObjectFormat
    private let file: FilePath
    /// When the file that was read had been written: entries as new as that cannot be told from changed ones.
    private var written: UInt32 = .max
    private var permissions: UInt32?

    /// Nil when the index has parts that only git understands.
    public init?(_ repository: Repository) throws {
        try self.init(repository.gitDirectory.appending("index"), format: repository.format)
    }

    init?(_ file: FilePath, format: ObjectFormat) throws {
        self.file = file
        self.format = format
        let stat = FileStat(file)
        guard let bytes = try Files.read(file) else { return }
        written = stat?.modifiedSeconds ?? 0
        permissions = stat.map { $0.mode & 0o777 }
        guard try read(bytes) else { return nil }
    }

    // MARK: Reading

    private mutating func read(_ bytes: [UInt8]) throws -> Bool {
        let hash = format.digits / 2
        func number(_ at: Int) -> UInt32 {
            UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8 | UInt32(bytes[at + 3])
        }
        func half(_ at: Int) -> UInt16 { UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) }
        let end = bytes.count - hash
        guard end >= 12, bytes.starts(with: "DIRC".utf8) else { throw malformed("it has no header") }
        let version = number(4)
        guard (2...4).contains(version) else { return false }
        let count = Int(number(8))
        entries.reserveCapacity(count)
        var at = 12
        var previous: [UInt8] = []
        for _ in 0..<count {
            let start = at
            guard start + 40 + hash + 2 <= end else { throw malformed("it ends early") }
            let stat =
                (0..<6).map { number(start + 4 * $0) } + [number(start + 28), number(start + 32), number(start + 36)]
            let flags = half(start + 40 + hash)
            at = start + 42 + hash
            var more: UInt16 = 0
            if flags & 0x4000 != 0 {
                guard version > 2, at + 2 <= end else { throw malformed("an entry's flags are wrong") }
                more = half(at)
                at += 2
            }
            var path: [UInt8] = []
            if version == 4 {
                guard let strip = Self.variable(bytes, &at, end), strip <= previous.count else {
                    throw malformed("a name is wrong")
                }
                path = Array(previous.dropLast(strip))
            }
            guard let zero = bytes[at..<end].firstIndex(of: 0) else { throw malformed("a name has no end") }
            path += bytes[at..<zero]
            at = version == 4 ? zero + 1 : start + ((zero - start) + 8) / 8 * 8
            guard at <= end else { throw malformed("it ends early") }
            let mode = number(start + 24)
            // A folder that stands for all below it: a sparse index.
            if mode & 0o170000 == 0o040000 { return false }
            entries.append(
                Entry(
                    path: path, mode: mode, id: ObjectID(bytes: bytes[start + 40..<start + 40 + hash]),
                    stage: Int(flags >> 12 & 3), stat: stat, flags: flags & 0x8000, moreFlags: more))
            if version == 4 { previous = path }
        }
        while at + 8 <= end {
            // A small first letter: without it the rest cannot be understood (`link`, `sdir`).
            guard bytes[at] < 0x61 else { return false }
            at += 8 + Int(number(at + 4))
        }
        return true
    }

    /// git's variable-length numbers, as in offset deltas.
    private static func variable(_ bytes: [UInt8], _ at: inout Int, _ end: Int) -> Int? {
        guard at < end else { return nil }
        var value = Int(bytes[at] & 0x7f)
        while bytes[at] & 0x80 != 0 {
            at += 1
            guard at < end, value < 1 << 40 else { return nil }
            value = (value + 1) << 7 | Int(bytes[at] & 0x7f)
        }
        at += 1
        return value
    }

    private func malformed(_ reason: String) -> GitFailure {
        .malformed(object: file.string, reason: reason)
    }

    /// Whether the file still is what was added: by its stat data, and certainly (a file as new as the index may differ).
    public func isUnchanged(_ entry: Entry, _ stat: FileStat) -> Bool {
        entry.stat == stat.fields && entry.stage == 0 && stat.modifiedSeconds < written && entry.sizeInWorkTree != 0
    }
}

// MARK: - Writing

extension IndexFile {
    /// Adds entries, takes paths out and writes the file, under git's own lock.
    ///
    /// False when the index has meanwhile got parts that only git understands; nothing is changed then.
    public static func update(
        _ repository: Repository, adding new: [Entry], removing gone: Set<[UInt8]> = []
    ) throws -> Bool {
        let file = repository.gitDirectory.appending("index")
        let lock = FilePath(file.string + ".lock")
        let handle: FileDescriptor
        do {
            handle = try FileDescriptor.open(
                lock, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite])
        } catch Errno.fileExists {
            let age = Files.status(lock).map { (Timestamp.now().microseconds - $0.modified.microseconds) / 1_000_000 }
            throw GitFailure.locked(ref: "the index", path: lock.string, age: max(0, age ?? 0))
        } catch let errno as Errno {
            throw FileFailure("write", lock, errno)
        }
        do {
            guard var index = try IndexFile(file, format: repository.format) else {
                try handle.close()
                Files.remove(lock)
                return false
            }
            try handle.closeAfter {
                index.merge(new, removing: gone)
                do { _ = try handle.writeAll(index.bytes) } catch let errno as Errno {
                    throw FileFailure("write", lock, errno)
                }
                if let permissions = index.permissions { fchmod(handle.rawValue, mode_t(permissions)) }
            }
            try Files.rename(lock, to: file)
            return true
        } catch {
            Files.remove(lock)
            throw error
        }
    }

    /// An added file takes the place of the same path at every stage, of a file that is now its folder, and of what lies
    /// below a folder that is now a file.
    private mutating func merge(_ new: [Entry], removing gone: Set<[UInt8]>) {
        var replaced = gone
        var folders: Set<[UInt8]> = []
        for entry in new {
            replaced.insert(entry.path)
            var rest = entry.path[...]
            while let slash = rest.lastIndex(of: 0x2f) {
                rest = rest[..<slash]
                if !folders.insert(Array(rest)).inserted { break }
            }
        }
        let names = Set(new.map(\.path))
        var old = entries.filter { entry in
            if replaced.contains(entry.path) || folders.contains(entry.path) { return false }
            var rest = entry.path[...]
            while let slash = rest.lastIndex(of: 0x2f) {
                rest = rest[..<slash]
                if names.contains(Array(rest)) { return false }
            }
            return true
        }
        // A new file is written: what was added in the very second of the old one would pass for unchanged from now on.
        // git's own way to mark such entries is the size 0 (racy-git(7)).
        for i in old.indices where old[i].stat[2] >= written && old[i].isFile { old[i].stat[8] = 0 }
        let added = new.sorted { $0.path.lexicographicallyPrecedes($1.path) }
        var merged: [Entry] = []
        merged.reserveCapacity(old.count + added.count)
        var (i, j) = (0, 0)
        while i < old.count || j < added.count {
            if j == added.count || (i < old.count && old[i].path.lexicographicallyPrecedes(added[j].path)) {
                merged.append(old[i])
                i += 1
            } else {
                merged.append(added[j])
                j += 1
            }
        }
        entries = merged
    }

    private var bytes: [UInt8] {
        let version: UInt32 = entries.contains { $0.moreFlags != 0 } ? 3 : 2
        var bytes = Array("DIRC".utf8)
        bytes.reserveCapacity(entries.reduce(64) { $0 + 72 + format.digits / 2 + $1.path.count })
        func append(_ number: UInt32) {
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: number >> UInt32(shift))) }
        }
        append(version)
        append(UInt32(entries.count))
        for entry in entries {
            let start = bytes.count
            for field in entry.stat[..<6] { append(field) }
            append(entry.mode)
            for field in entry.stat[6...] { append(field) }
            bytes += entry.id.bytes
            let extended: UInt16 = entry.moreFlags != 0 ? 0x4000 : 0
            let flags =
                entry.flags | extended | UInt16(entry.stage) << 12 | UInt16(min(entry.path.count, 0xfff))
            bytes += [UInt8(flags >> 8), UInt8(flags & 0xff)]
            if extended != 0 { bytes += [UInt8(entry.moreFlags >> 8), UInt8(entry.moreFlags & 0xff)] }
            bytes += entry.path
            let length = bytes.count - start
            bytes += [UInt8](repeating: 0, count: (length + 8) / 8 * 8 - length)
        }
        return bytes + format.hash(bytes)
    }
}

extension IndexFile {
    /// Gives entries new stat data, where the index still has the same id at their path.
    ///
    /// False as for ``update(_:adding:removing:)``.
    public static func refresh(_ repository: Repository, _ entries: [Entry]) throws -> Bool {
        guard let index = try IndexFile(repository) else { return false }
        var known: [[UInt8]: Entry] = [:]
        for entry in index.entries where entry.stage == 0 { known[entry.path] = entry }
        let same = entries.compactMap { new -> Entry? in
            guard let old = known[new.path], old.id == new.id else { return nil }
            var entry = old
            entry.stat = new.stat
            return entry
        }
        return try same.isEmpty || update(repository, adding: same)
    }

    /// The index that git means just now: in a hook of `git commit -a` that is another file.
    public static func current(gitDirectory: FilePath, format: ObjectFormat) throws -> IndexFile? {
        let file = environmentValue("GIT_INDEX_FILE").map { FilePath($0) } ?? gitDirectory.appending("index")
        return try IndexFile(file, format: format)
    }
}
