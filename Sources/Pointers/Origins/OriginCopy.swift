internal import Base
internal import GitKit
public import Storage
public import SystemPackage

/// Writes files of another repository to a place on this machine, which need not be a repository.
public struct OriginCopy: Sendable {
    public struct Outcome: Sendable {
        public var files = 0
        /// In bytes.
        public var size: Int64 = 0
        /// The same was there already.
        public var isUnchanged = false
    }

    private let other: OtherRepository
    private let store: ContentStore
    private let progress: OtherRepository.Progress

    /// Content comes into `store` first, where an interrupted download is continued, and goes out of it at the end: nobody else
    /// may use it meanwhile.
    public init(
        _ other: OtherRepository, store: ContentStore, progress: @escaping OtherRepository.Progress = { _, _ in }
    ) {
        self.other = other
        self.store = store
        self.progress = progress
    }

    /// Writes a selection: all of it beside the target, then in one step under its name.
    ///
    /// What is there is replaced only with `force`, and left alone when it is the same. The target is an absolute path.
    public func write(_ selection: OriginSelection, to target: FilePath, force: Bool) async throws -> Outcome {
        var outcome = Outcome()
        let old = Files.status(target)
        if old != nil, !force {
            guard try await isSame(selection, target) else { throw OriginFailure.exists(target.string) }
            outcome.files = selection.entries.count
            outcome.isUnchanged = true
            return outcome
        }
        if let dataset = selection.dataset { return try await write(dataset, selection, to: target, old: old) }
        try checkLinks(selection)
        try await other.download(selection, into: store, progress: progress)
        let beside = Files.temporaryName(beside: target)
        do {
            try Files.makeDirectory(target.removingLastComponent())
            try write(selection, beside, &outcome)
            try place(beside, at: target, old: old)
        } catch {
            try? Files.removeTree(beside)
            throw error
        }
        for entry in selection.entries { entry.pointer.map { Files.remove(store.path(of: $0.digest)) } }
        return outcome
    }

    /// A dataset is put together beside the target by its own checkout.
    private func write(
        _ pointer: DatasetPointer, _ selection: OriginSelection, to target: FilePath, old: FileStatus?
    ) async throws -> Outcome {
        let beside = Files.temporaryName(beside: target)
        let dataset = Dataset(
            path: "content", workTree: beside, store: store, stateDirectory: beside.appending("state"))
        do {
            try Files.replace(dataset.pointerFile, with: pointer.text.utf8)
            _ = try await dataset.checkOut(fetch: { contents in
                try await other.download(Set(contents), into: store, progress: progress) { _ in [selection.path] }
            })
            try place(dataset.place, at: target, old: old)
        } catch {
            try? Files.removeTree(beside)
            throw error
        }
        try Files.removeTree(beside)
        return Outcome(files: Int(pointer.files), size: pointer.size)
    }

    private func checkLinks(_ selection: OriginSelection) throws {
        for entry in selection.entries where entry.mode == .link {
            let target = try other.repository.blob(entry.id)
            if let problem = OriginPath.problem(target: target, of: entry.path) {
                throw OriginFailure.refused(path: selection.name(entry), reason: problem)
            }
        }
    }

    private func write(_ selection: OriginSelection, _ top: FilePath, _ outcome: inout Outcome) throws {
        if selection.isFolder { try Files.makeDirectory(top) }
        let reader = try BlobReader(other)
        // Links last: nothing is ever written through one.
        let order = selection.entries.filter { $0.mode != .link } + selection.entries.filter { $0.mode == .link }
        for entry in order {
            let file = OriginPath.file(entry.path, below: top)
            try Files.makeDirectory(file.removingLastComponent())
            if entry.mode == .link {
                let target = OriginPath.file(try other.repository.blob(entry.id), below: "")
                let status = target.withPlatformString { a in file.withPlatformString { b in symlink(a, b) } }
                guard status == 0 else { throw FileFailure("make the link", file, Errno(rawValue: errno)) }
            } else if let pointer = entry.pointer, pointer.size > 0 {
                try store.checkOut(pointer.digest, size: pointer.size, to: file, executable: entry.isExecutable)
                outcome.size += pointer.size
            } else {
                outcome.size += try write(entry.pointer == nil ? entry.id : nil, reader, file, entry.isExecutable)
            }
            outcome.files += 1
        }
        // One flush for all of them, before they get their name.
        if !Files.flushFileSystem(of: top) { Files.flush(top) }
    }

    /// Writes a blob to a new file, or an empty file, and returns its size; it is not flushed.
    private func write(_ id: ObjectID?, _ reader: BlobReader, _ file: FilePath, _ isExecutable: Bool) throws -> Int64 {
        var size: Int64 = 0
        do {
            let handle = try FileDescriptor.open(
                file, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: FilePermissions(rawValue: isExecutable ? 0o777 : 0o666))
            try handle.closeAfter {
                guard let id else { return }
                try reader.read(id) { piece in
                    _ = try handle.writeAll(piece)
                    size += Int64(piece.count)
                }
            }
        } catch let errno as Errno { throw FileFailure("write", file, errno) }
        return size
    }

    /// A folder cannot be renamed over another: the old one goes aside first, and comes back when that fails.
    private func place(_ beside: FilePath, at target: FilePath, old: FileStatus?) throws {
        let isFolder = Files.status(beside)?.kind == .directory
        guard let old, isFolder || old.kind == .directory else { return try Files.rename(beside, to: target) }
        let aside = Files.temporaryName(beside: target)
        try Files.rename(target, to: aside)
        do { try Files.rename(beside, to: target) } catch {
            try? Files.rename(aside, to: target)
            throw error
        }
        try Files.removeTree(aside)
    }

    // MARK: What is there

    private func isSame(_ selection: OriginSelection, _ target: FilePath) async throws -> Bool {
        if selection.dataset != nil { return false }
        guard let status = Files.status(target), (status.kind == .directory) == selection.isFolder else { return false }
        if selection.isFolder, try count(target) != selection.entries.count { return false }
        for entry in selection.entries {
            let file = OriginPath.file(entry.path, below: target)
            guard let status = Files.status(file), status.kind == (entry.mode == .link ? .link : .file) else {
                return false
            }
            if entry.mode != .link, entry.isExecutable != (status.mode & 0o100 != 0) { return false }
            if let pointer = entry.pointer {
                guard status.size == pointer.size, try Digest.of(file: file) == (pointer.digest, pointer.size) else {
                    return false
                }
            } else if entry.mode == .file || entry.mode == .executable {
                let id = try await other.git.run(["hash-object", "--no-filters", "--", file.string])
                guard id.trimmingTrailingSpace == entry.id.hex else { return false }
            }
        }
        return true
    }

    /// How many files and links are below a folder.
    private func count(_ folder: FilePath) throws -> Int {
        var count = 0
        for name in try Files.list(folder) {
            let path = folder.appending(name)
            count += Files.status(path)?.kind == .directory ? try self.count(path) : 1
        }
        return count
    }
}
