internal import Base
internal import Storage
internal import SystemPackage

/// Writes files of a dataset into the work tree on several threads: each under another name first, verified, then renamed.
final class DatasetFiles: @unchecked Sendable {
    // Nothing in it changes.
    /// In temporary names: what another process left must not be in the way.
    private let token = UUIDv7().description
    private let dataset: Dataset
    private let kind: DatasetPointer.Kind
    private let form: FileTable.Form
    private let unpacked: Unpacked
    private let packs: [Pack]
    private let parts: [[Slice]]
    private let progress: @Sendable (Int64, Int64) -> Void

    init(
        _ dataset: Dataset, kind: DatasetPointer.Kind, form: FileTable.Form, packs: [Pack], parts: [[Slice]],
        progress: @escaping @Sendable (Int64, Int64) -> Void
    ) {
        self.dataset = dataset
        self.kind = kind
        self.form = form
        unpacked = dataset.unpacked
        self.packs = packs
        self.parts = parts
        self.progress = progress
    }

    /// Writes these rows of the table and notes their new stamps in it.
    func write(_ todo: [Int], of table: inout FileTable) throws {
        if todo.isEmpty { return }
        let total = todo.reduce(Int64(0)) { $0 + max(0, table.rows[$1].stamp.size) }
        // Long steps: two threads that write into one folder wait for each other.
        let step = max(64, min(2048, todo.count / (Workers.count * 4)))
        let turnstile = Turnstile()
        let paths = table.paths
        let top = kind == .folder ? dataset.place : dataset.place.removingLastComponent()
        try table.rows.withUnsafeMutableBufferPointer { rows in
            // Each step has rows of its own.
            nonisolated(unsafe) let rows = rows
            try Workers.run { [self] worker in
                do {
                    var one = try OneWriter(self, top: top, worker: worker)
                    while let number = turnstile.take(below: (todo.count + step - 1) / step) {
                        var moved: Int64 = 0
                        for k in number * step..<min(todo.count, (number + 1) * step) {
                            let row = rows[todo[k]]
                            let path = Array(paths[row.pathStart..<row.pathStart + Int(row.pathLength)])
                            rows[todo[k]].stamp = try one.write(row, path)
                            moved += row.stamp.size
                        }
                        progress(moved, total)
                    }
                } catch {
                    turnstile.breakOff()
                    throw error
                }
            }
        }
        if form != .own { unpacked.flush() }
    }

    /// What one thread needs.
    private struct OneWriter {
        private let files: DatasetFiles
        private let worker: Int
        private var folders: TreeFolders
        private var packFiles: PackFiles
        private var count = 0
        private var buffer: [UInt8] = []

        init(_ files: DatasetFiles, top: FilePath, worker: Int) throws {
            self.files = files
            self.worker = worker
            folders = try TreeFolders(top)
            packFiles = PackFiles(store: files.dataset.store, chunks: files.dataset.chunks)
        }

        /// Puts one entry in place and returns its stamp there.
        mutating func write(_ row: FileTable.Row, _ path: [UInt8]) throws -> FileStamp {
            let shown = files.kind == .file ? files.dataset.path : "\(files.dataset.path)/\(DatasetPath.display(path))"
            let place = files.kind == .file ? Array((files.dataset.place.lastComponent?.string ?? "").utf8) : path
            if row.mode == .folder {
                _ = try folders.open(path, creating: true)
                return .unknown
            }
            let (folder, name) = try folders.folder(of: place, creating: true)
            count += 1
            let temporary = TreeFolders.text(
                FolderScan.temporaryPrefix + Array("\(files.token)-\(worker)-\(count)".utf8)[...])
            do {
                if files.form != .own, row.mode == .file, row.stamp.size > 0,
                    let stamp = try makeLinked(row, shown, folder, temporary, name)
                {
                    return stamp
                }
                let stamp =
                    try row.mode == .link
                    ? makeLink(row, path, shown, folder, temporary, name)
                    : makeFile(row, shown, folder, temporary, name)
                return stamp
            } catch {
                unlinkat(folder.descriptor, temporary, 0)
                throw error
            }
        }

        private mutating func makeFile(
            _ row: FileTable.Row, _ shown: String, _ folder: FileHandle, _ temporary: [CChar], _ name: [CChar]
        ) throws -> FileStamp {
            let mode: mode_t = row.mode == .executable ? 0o777 : 0o666
            let descriptor = openat(
                folder.descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
            guard descriptor >= 0 else { throw FileFailure("write", FilePath(shown), Errno(rawValue: errno)) }
            let file = FileHandle(descriptor)
            try fill(file, row, shown)
            return try rename(folder, temporary, name, shown) {
                var info = stat()
                return fstat(file.descriptor, &info) == 0 ? FileStamp(info) : .unknown
            }
        }

        /// Writes a content to a file and verifies it.
        private mutating func fill(_ file: FileHandle, _ row: FileTable.Row, _ shown: String) throws {
            var hasher = Digest.Hasher()
            for piece in pieces(row) {
                try read(piece, shown)
                hasher.update(buffer)
                try put(buffer, to: file, shown)
            }
            guard ContentName(hasher.finish()) == row.name else { throw damaged(row, shown) }
        }

        /// Makes a file as a link to its unpacked content; nil where there can be no such link.
        private mutating func makeLinked(
            _ row: FileTable.Row, _ shown: String, _ folder: FileHandle, _ temporary: [CChar], _ name: [CChar]
        ) throws -> FileStamp? {
            let content = try files.unpacked.make(row.name, size: row.stamp.size) { try fill($0, row, shown) }
            let isMade = content.withPlatformString {
                files.form == .hardLink
                    ? linkat(AT_FDCWD, $0, folder.descriptor, temporary, 0) == 0
                    : symlinkat($0, folder.descriptor, temporary) == 0
            }
            guard isMade else { return nil }
            return try rename(folder, temporary, name, shown) {
                // Where both names are one file already, rename leaves the temporary one.
                unlinkat(folder.descriptor, temporary, 0)
                return FileTable.look(folder.descriptor, name, files.unpacked)?.2 ?? .unknown
            }
        }

        private mutating func makeLink(
            _ row: FileTable.Row, _ path: [UInt8], _ shown: String, _ folder: FileHandle, _ temporary: [CChar],
            _ name: [CChar]
        ) throws -> FileStamp {
            guard row.stamp.size <= 4096 else { throw DatasetFailure(.corrupt, "\(shown) is a link that is too long") }
            buffer.removeAll()
            for piece in pieces(row) { try read(piece, shown) }
            guard ContentName(Digest.of(buffer)) == row.name else { throw damaged(row, shown) }
            if let problem = DatasetPath.problem(target: buffer, of: path) {
                throw DatasetFailure(
                    .corrupt, "the manifest of \(files.dataset.path): \(DatasetPath.display(path)) \(problem)")
            }
            guard symlinkat(TreeFolders.text(buffer[...]), folder.descriptor, temporary) == 0 else {
                throw FileFailure("write", FilePath(shown), Errno(rawValue: errno))
            }
            return try rename(folder, temporary, name, shown) {
                var info = stat()
                return fstatat(folder.descriptor, name, &info, AT_SYMLINK_NOFOLLOW) == 0 ? FileStamp(info) : .unknown
            }
        }

        private func rename(
            _ folder: FileHandle, _ temporary: [CChar], _ name: [CChar], _ shown: String, stamp: () -> FileStamp
        ) throws -> FileStamp {
            guard renameat(folder.descriptor, temporary, folder.descriptor, name) == 0 else {
                throw FileFailure("write", FilePath(shown), Errno(rawValue: errno))
            }
            return stamp()
        }

        /// A part of one content that is read at once.
        private struct Piece {
            let content: Slice
            let at: Int64
            let size: Int
        }

        private func pieces(_ row: FileTable.Row) -> [Piece] {
            if row.pack <= -2 {
                return files.parts[Int(-2 - row.pack)].map { Piece(content: $0, at: 0, size: Int($0.size)) }
            }
            if row.pack < 0 { return [] }
            // A whole content may be larger than what one read should take when another program made the packs.
            let content = Slice(name: row.name, size: row.stamp.size, pack: Int(row.pack), offset: row.offset)
            return stride(from: 0, to: content.size, by: 4 << 20).map {
                Piece(content: content, at: $0, size: Int(min(content.size - $0, 4 << 20)))
            }
        }

        private mutating func read(_ piece: Piece, _ shown: String) throws {
            if buffer.count > piece.size { buffer.removeSubrange(piece.size...) }
            if buffer.count < piece.size {
                buffer.append(contentsOf: repeatElement(0, count: piece.size - buffer.count))
            }
            try buffer.withUnsafeMutableBytes {
                try packFiles.read(
                    piece.content, of: files.packs[piece.content.pack], at: piece.at, into: $0, for: shown)
            }
        }

        private func put(_ bytes: [UInt8], to file: FileHandle, _ shown: String) throws {
            do { _ = try FileDescriptor(rawValue: file.descriptor).writeAll(bytes) } catch let errno as Errno {
                throw FileFailure("write", FilePath(shown), errno)
            }
        }

        private func damaged(_ row: FileTable.Row, _ shown: String) -> DatasetFailure {
            let place = pieces(row).first.map { packFiles.place(of: $0.content, files.packs[$0.content.pack]).string }
            return .damaged(shown, place: place ?? "the manifest")
        }
    }
}
