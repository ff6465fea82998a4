internal import Base
internal import SystemPackage

/// Lists a folder with all that is below it on several threads, without following links; ours count as files.
final class FolderScan: @unchecked Sendable {
    // `jobs`, `active`, `listings` and `failure` are guarded by `gate`; each job writes rows of its own.

    /// What one folder holds.
    private final class Listing {
        let path: [UInt8]
        var handle: FileHandle?
        var names: [UInt8] = []
        var rows: UnsafeMutableBufferPointer<Row> = .init(start: nil, count: 0)

        init(path: [UInt8]) { self.path = path }

        deinit { rows.deallocate() }
    }

    private struct Row {
        var start: Int
        var length: Int
        var key: UInt64
        var child: Int32
        var mode: FileTable.Mode
        var form = FileTable.Form.own
        var stamp: FileStamp
    }

    private struct Job {
        let listing: Int
        /// Nil: the folder is still to be read.
        let range: Range<Int>?
    }

    static let temporaryPrefix = Array(".tmp-git-ml-".utf8)
    private let top: FilePath
    private let unpacked: Unpacked
    private let handle: FileHandle
    private let gate = Gate()
    private var jobs: [Job] = []
    private var active = 0
    private var listings: [Listing] = []
    private var leftovers: [[UInt8]] = []
    private var failure: (any Error)?

    private init(_ top: FilePath, _ unpacked: Unpacked) throws {
        self.top = top
        self.unpacked = unpacked
        let descriptor = top.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) }
        guard descriptor >= 0 else { throw FileFailure("list", top, Errno(rawValue: errno)) }
        handle = FileHandle(descriptor)
    }

    /// The table of a folder.
    static func run(_ top: FilePath, _ unpacked: Unpacked) throws -> FileTable {
        let clock = FileStamp.now()
        let scan = try FolderScan(top, unpacked)
        scan.listings = [Listing(path: [])]
        scan.jobs = [Job(listing: 0, range: nil)]
        try Workers.run(max(2, Workers.count)) { _ in scan.work() }
        if let failure = scan.failure { throw failure }
        var table = FileTable()
        table.clock = clock
        table.leftovers = scan.leftovers
        table.rows.reserveCapacity(scan.listings.reduce(0) { $0 + $1.rows.count })
        table.paths.reserveCapacity(scan.listings.reduce(0) { $0 + $1.names.count + $1.rows.count * $1.path.count })
        scan.collect(0, into: &table)
        return table
    }

    private func work() {
        while true {
            let job: (Job, Listing)? = gate.with {
                while jobs.isEmpty, active > 0, failure == nil { gate.wait() }
                guard failure == nil, let job = jobs.popLast() else { return nil }
                active += 1
                return (job, listings[job.listing])
            }
            guard let (job, listing) = job else { return }
            var failed: (any Error)?
            do {
                if let range = job.range { try look(listing, range) } else { try list(listing, job.listing) }
            } catch { failed = error }
            gate.with {
                failure = failure ?? failed
                active -= 1
                gate.wake()
            }
        }
    }

    private func list(_ listing: Listing, _ number: Int) throws {
        let handle = try number == 0 ? self.handle : openFolder(listing.path)
        let copy = fcntl(handle.descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0, let stream = fdopendir(copy) else {
            throw FileFailure("list", top.appending(DatasetPath.display(listing.path)), Errno(rawValue: errno))
        }
        defer { closedir(stream) }
        var rows: [Row] = []
        var children: [(row: Int, path: [UInt8])] = []
        while let entry = readdir(stream) {
            let start = listing.names.count
            let type = entry.pointee.d_type
            withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: UInt8.self, capacity: 256) { name in
                    listing.names.append(
                        contentsOf: UnsafeBufferPointer(
                            start: name, count: strlen(UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))))
                }
            }
            let name = listing.names[start...]
            if name.elementsEqual([0x2e]) || name.elementsEqual([0x2e, 0x2e]) {
                listing.names.removeSubrange(start...)
                continue
            }
            if name.starts(with: Self.temporaryPrefix) {
                let path = Self.joined(listing.path, name)
                gate.with { leftovers.append(path) }
                listing.names.removeSubrange(start...)
                continue
            }
            // A folder's place among its neighbours is that of its name with a slash: so a walk is in the order of paths.
            let isFolder = try type == UInt8(DT_DIR) || (type == UInt8(DT_UNKNOWN) && isFolder(handle, name))
            if isFolder {
                children.append((rows.count, Self.joined(listing.path, name)))
                listing.names.append(0x2f)
            }
            rows.append(
                Row(
                    start: start, length: listing.names.count - start, key: 0, child: isFolder ? 0 : -1,
                    mode: .other, stamp: .unknown))
        }
        rows.sort { a, b in
            listing.names.withUnsafeBytes { names in
                order(
                    UnsafeRawBufferPointer(rebasing: names[a.start..<a.start + a.length]),
                    UnsafeRawBufferPointer(rebasing: names[b.start..<b.start + b.length])) < 0
            }
        }
        listing.rows = .allocate(capacity: rows.count)
        _ = listing.rows.initialize(from: rows)
        gate.with {
            for i in rows.indices where rows[i].child == 0 {
                let name = listing.names[rows[i].start..<rows[i].start + rows[i].length - 1]
                listing.rows[i].child = Int32(listings.count)
                jobs.append(Job(listing: listings.count, range: nil))
                listings.append(Listing(path: Self.joined(listing.path, name)))
            }
            listing.handle = handle
            gate.wake()
        }
        let step = 1000
        if rows.count <= step { return try look(listing, 0..<rows.count) }
        gate.with {
            for start in stride(from: 0, to: rows.count, by: step) {
                jobs.append(Job(listing: number, range: start..<min(rows.count, start + step)))
            }
            gate.wake()
        }
    }

    private func look(_ listing: Listing, _ range: Range<Int>) throws {
        guard let handle = listing.handle else { return }
        var name: [CChar] = []
        for i in range {
            let row = listing.rows[i]
            if row.child >= 0 { continue }
            name.removeAll(keepingCapacity: true)
            for byte in listing.names[row.start..<row.start + row.length] { name.append(CChar(bitPattern: byte)) }
            name.append(0)
            guard let found = FileTable.look(handle.descriptor, name, unpacked) else {
                // Gone since: as if it had never been there.
                if errno == ENOENT { continue }
                throw FileFailure(
                    "look at", top.appending(DatasetPath.display(listing.path)), Errno(rawValue: errno))
            }
            (listing.rows[i].mode, listing.rows[i].form, listing.rows[i].stamp) = found
        }
        if range.upperBound == listing.rows.count, listing.rows.count <= 1000 { listing.handle = nil }
    }

    private func isFolder(_ handle: FileHandle, _ name: ArraySlice<UInt8>) throws -> Bool {
        var info = stat()
        let text = name.map { CChar(bitPattern: $0) } + [0]
        return fstatat(handle.descriptor, text, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    private func openFolder(_ path: [UInt8]) throws -> FileHandle {
        let text = path.map { CChar(bitPattern: $0) } + [0]
        let descriptor = openat(handle.descriptor, text, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            throw FileFailure("list", top.appending(DatasetPath.display(path)), Errno(rawValue: errno))
        }
        return FileHandle(descriptor)
    }

    private static func joined(_ folder: [UInt8], _ name: ArraySlice<UInt8>) -> [UInt8] {
        folder.isEmpty ? Array(name) : folder + [0x2f] + name
    }

    private func collect(_ number: Int, into table: inout FileTable) {
        let listing = listings[number]
        listing.handle = nil
        for row in listing.rows {
            if row.child >= 0 {
                collect(Int(row.child), into: &table)
            } else if row.stamp.size >= 0 {
                append(listing.path, listing.names[row.start..<row.start + row.length], row.mode, row.stamp, &table)
                table.rows[table.rows.count - 1].form = row.form
            }
        }
        if listing.rows.isEmpty, !listing.path.isEmpty { append(listing.path, [], .folder, .unknown, &table) }
    }

    private func append(
        _ folder: [UInt8], _ name: ArraySlice<UInt8>, _ mode: FileTable.Mode, _ stamp: FileStamp,
        _ table: inout FileTable
    ) {
        let start = table.paths.count
        table.paths += folder
        if !folder.isEmpty, !name.isEmpty { table.paths.append(0x2f) }
        table.paths += name
        table.rows.append(
            FileTable.Row(
                pathStart: start, pathLength: UInt16(clamping: table.paths.count - start), mode: mode, stamp: stamp))
    }
}
