internal import Base
public import GitKit
internal import Storage
internal import SystemPackage

/// Imports data out of other repositories into this one, and follows it there.
public struct DataImport: Sendable {
    /// What an import or an update did.
    public struct Outcome: Sendable {
        public let origin: ImportOrigin
        /// The commit before; nil for a new import.
        public let before: String?
        public var isDataset = false
        public var added = 0
        public var changed = 0
        public var removed = 0
        public var files = 0
        /// In bytes.
        public var size: Int64 = 0
        public var submodules: [String] = []
        public var isUnchanged: Bool { added + changed + removed == 0 && before == origin.commit }
    }

    let repository: Repository
    let workTree: FilePath
    private let store: ContentStore
    let index: PointerIndex
    let link: DataSettings.Link
    let progress: OtherRepository.Progress

    /// `link` is how the files of datasets stand in the work tree; files by themselves are copies.
    public init(
        _ repository: Repository, link: DataSettings.Link, progress: @escaping OtherRepository.Progress = { _, _ in }
    ) throws {
        self.repository = repository
        self.link = link
        self.progress = progress
        workTree = try repository.requireWorkTree()
        store = repository.contentStore
        index = PointerIndex(repository)
    }

    /// Imports what stands at `source` of another repository to `path` here: content in the store, the file in the work tree,
    /// its pointer staged, its origin recorded.
    ///
    /// Importing the same again changes nothing.
    public func add(
        _ address: OriginAddress, _ source: String, revision: String?, to path: String, force: Bool
    ) async throws -> Outcome {
        try index.requireFilter()
        try checkTarget(path)
        let path = Self.name(path)
        let known = try ImportRecord(workTree: workTree).origins.first { Self.name($0.path) == path }
        let url = address.recorded(in: workTree)
        let isOurs = known?.url == url && Self.name(known?.source ?? "?") == Self.name(source)
        if !isOurs, !force {
            let indexed = try await index.read(path)
            guard !Files.exists(place(path)), indexed.entries.isEmpty, indexed.others.isEmpty else {
                throw OriginFailure.exists(path)
            }
        }
        let origin = ImportOrigin(
            path: path, url: url, source: source, revision: revision, commit: "", digest: Digest.of(""))
        return try await bring(origin, known: isOurs ? known : nil, address, force: force)
    }

    /// Brings one import up to date; `revision` makes it follow another one from now on.
    public func update(_ known: ImportOrigin, revision: String?, force: Bool) async throws -> Outcome {
        try index.requireFilter()
        try checkTarget(Self.name(known.path))
        var origin = known
        origin.revision = revision ?? known.revision
        return try await bring(origin, known: known, OriginAddress(known.url, from: workTree), force: force)
    }

    /// The imports at or below the paths; all without paths.
    ///
    /// After a merge a path can stand there twice: the line that says what the index has counts.
    public func origins(_ paths: [String]) async throws -> [ImportOrigin] {
        let record = try ImportRecord(workTree: workTree)
        var found: [ImportOrigin] = []
        for (name, same) in Dictionary(grouping: record.origins, by: { Self.name($0.path) }).sorted(by: {
            $0.key < $1.key
        }) {
            guard
                paths.isEmpty
                    || paths.contains(where: {
                        $0.isEmpty || name == Self.name($0) || name.hasPrefix($0 + "/")
                    })
            else { continue }
            if same.count > 1 {
                let now = ImportedFiles.inIndex(try await index.read(name).entries, below: name)
                let dataset = try Dataset(repository, path: name).pointer()?.manifest.digest
                guard
                    let one = same.first(where: { origin in
                        let isDataset = origin.path.hasSuffix(DatasetPointer.suffix)
                        return origin.digest == (isDataset ? dataset : now.digest(isFolder: origin.path.hasSuffix("/")))
                    })
                else {
                    throw OriginFailure.badRecord(line: 1, reason: "“\(name)” stands there \(same.count) times")
                }
                found.append(one)
            } else {
                found += same
            }
        }
        for path in paths where !path.isEmpty {
            guard found.contains(where: { Self.name($0.path) == Self.name(path) || $0.path.hasPrefix(path + "/") })
            else {
                throw OriginFailure.notImported(path)
            }
        }
        return found
    }

    // MARK: Bringing

    /// Without the mark of a folder or a dataset.
    static func name(_ path: String) -> String {
        if path.hasSuffix(DatasetPointer.suffix) { return String(path.dropLast(DatasetPointer.suffix.count)) }
        return path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    private func place(_ path: String) -> FilePath { workTree.appending(FilePath(path).components) }

    /// Nothing is written outside of the work tree, into `.git`, or through a link.
    private func checkTarget(_ path: String) throws {
        if let problem = OriginPath.problem(Array(path.utf8)) {
            throw OriginFailure.refused(path: path, reason: problem)
        }
        var folder = workTree
        for part in FilePath(path).components.dropLast() {
            folder = folder.appending(part)
            guard let kind = Files.status(folder)?.kind else { return }
            if kind != .directory {
                throw OriginFailure.refused(path: path, reason: "would lie below \(folder), which is no folder")
            }
            if Files.exists(folder.appending(".git")) {
                throw OriginFailure.refused(path: path, reason: "would lie in another repository, \(folder)")
            }
        }
    }

    private func bring(
        _ asked: ImportOrigin, known: ImportOrigin?, _ address: OriginAddress, force: Bool
    ) async throws -> Outcome {
        let other = try await OtherRepository.open(address, revision: asked.revision)
        let selection = try await other.select(asked.source)
        if let dataset = selection.dataset {
            return try await bring(dataset, selection, of: other, asked, known: known, force: force)
        }
        let path = Self.name(asked.path)
        let new = try await ImportedFiles.take(selection, of: other, into: store, progress: progress)
        guard let digest = new.digest(isFolder: selection.isFolder), !new.files.isEmpty else {
            throw OriginFailure.noPath(asked.source, address: address.shown, commit: other.commit.hex)
        }
        let indexed = try await index.read(path)
        let old = ImportedFiles.inIndex(indexed.entries, below: path)
        if !force, let known { try await checkUnchanged(known, old, indexed.others, new) }
        var origin = asked
        origin.path = path + (selection.isFolder ? "/" : "")
        origin.commit = other.commit.hex
        origin.digest = digest
        var outcome = Outcome(origin: origin, before: known?.commit)
        outcome.submodules = selection.submodules
        outcome.files = new.files.count
        outcome.size = new.files.values.reduce(0) { $0 + $1.pointer.size }
        for (name, file) in new.files where old.files[name] != file {
            if old.files[name] == nil { outcome.added += 1 } else { outcome.changed += 1 }
        }
        outcome.removed = old.files.keys.count { new.files[$0] == nil }
        try await write(origin, old, new, isFolder: selection.isFolder)
        return outcome
    }

    /// The index must hold what was imported, and the work tree what the index holds or what is to come.
    private func checkUnchanged(
        _ known: ImportOrigin, _ old: ImportedFiles, _ others: [[UInt8]], _ new: ImportedFiles
    ) async throws {
        let path = Self.name(known.path)
        if let first = others.first { throw OriginFailure.isChanged(path: path, file: OriginPath.text(first)) }
        guard old.digest(isFolder: known.path.hasSuffix("/")) == known.digest else {
            if old.files == new.files { return }
            throw OriginFailure.isChanged(path: path, file: path)
        }
        for changed in try await index.changed(path) {
            let file = OriginPath.file(changed, below: workTree)
            let rest = Array(changed.dropFirst(path.utf8.count + 1))
            if let size = Files.status(file)?.size, let next = new.files[rest]?.pointer, size == next.size,
                try Digest.of(file: file).digest == next.digest
            {
                continue  // an update that was interrupted has written it
            }
            throw OriginFailure.isChanged(path: path, file: OriginPath.text(changed))
        }
        for (name, file) in new.files where old.files[name] == nil {
            let place = OriginPath.file(name, below: self.place(path))
            guard let status = Files.status(place) else { continue }
            guard status.kind == .file, status.size == file.pointer.size,
                try Digest.of(file: place).digest == file.pointer.digest
            else { throw OriginFailure.isChanged(path: path, file: "\(path)/\(OriginPath.text(name)) is in the way") }
        }
    }

    // MARK: Writing

    private func write(_ origin: ImportOrigin, _ old: ImportedFiles, _ new: ImportedFiles, isFolder: Bool) async throws
    {
        let path = Self.name(origin.path)
        let pattern = OriginPath.pattern(path, isFolder: isFolder)
        let attributes = Attributes(workTree: workTree)
        _ = try attributes.add([pattern])
        try clear(path, isFolder: isFolder)
        for (name, file) in new.files {
            let target = OriginPath.file(name, below: place(path))
            try requireRealFolders(target, path)
            try checkOut(file, target)
        }
        let gone = old.files.keys.filter { new.files[$0] == nil }
        for name in gone { try remove(OriginPath.file(name, below: place(path))) }
        func full(_ name: [UInt8]) -> [UInt8] { Array(path.utf8) + (name.isEmpty ? [] : [0x2f] + name) }
        try await index.write(
            new.files.map {
                PointerIndex.Entry(
                    path: full($0.key), isExecutable: $0.value.isExecutable, pointer: $0.value.pointer,
                    stat: FileStat(OriginPath.file($0.key, below: place(path))))
            }, removing: gone.map(full))
        try await keep(origin)
    }

    /// Records where an import came from.
    func keep(_ origin: ImportOrigin) async throws {
        try addUnion()
        var record = try ImportRecord(workTree: workTree)
        record.set(origin)
        try record.write()
        try await index.add([".gitattributes", ImportRecord.path])
    }

    /// A file gives way to a folder and a folder to a file; the caller has seen to it that nothing is lost.
    private func clear(_ path: String, isFolder: Bool) throws {
        guard let kind = Files.status(place(path))?.kind else { return }
        if (kind == .directory) != isFolder { try Files.removeTree(place(path)) }
    }

    /// A link among the folders here would lead the file elsewhere.
    private func requireRealFolders(_ file: FilePath, _ path: String) throws {
        var folder = file.removingLastComponent()
        while folder.starts(with: workTree), folder != workTree {
            if let kind = Files.status(folder)?.kind, kind != .directory {
                throw OriginFailure.isChanged(path: path, file: "\(folder) is no folder")
            }
            folder = folder.removingLastComponent()
        }
    }

    private func checkOut(_ file: ImportedFiles.File, _ place: FilePath) throws {
        if let status = Files.status(place), status.kind == .file, status.size == file.pointer.size,
            (status.mode & 0o100 != 0) == file.isExecutable, try Digest.of(file: place).digest == file.pointer.digest
        {
            return
        }
        guard file.pointer.size > 0 else {
            return try Files.replace(place, with: [], mode: file.isExecutable ? 0o755 : 0o644)
        }
        try store.checkOut(file.pointer.digest, size: file.pointer.size, to: place, executable: file.isExecutable)
    }

    /// Removes a file, and the folders that are empty then.
    private func remove(_ file: FilePath) throws {
        Files.remove(file)
        var folder = file.removingLastComponent()
        while folder.starts(with: workTree), folder != workTree, folder.withPlatformString({ rmdir($0) }) == 0 {
            folder = folder.removingLastComponent()
        }
    }

    private func addUnion() throws {
        let file = workTree.appending(".gitattributes")
        var text = try Files.readText(file) ?? ""
        let lines = Set(text.split(separator: "\n").map(String.init))
        let new = ImportRecord.attributes.filter { !lines.contains($0) }
        if new.isEmpty { return }
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        for line in new { text += line + "\n" }
        try Files.replace(file, with: text.utf8)
    }
}
