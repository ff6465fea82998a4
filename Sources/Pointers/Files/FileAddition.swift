public import Base
public import GitKit
internal import Storage
internal import Synchronization
public import SystemPackage

/// Why files could not be added.
public enum AdditionFailure: Failure {
    case noMatch(String)
    case ignored(String)
    case outside(String)

    public var kind: FailureKind {
        if case .noMatch = self { .notFound } else { .user }
    }
    public var description: String {
        switch self {
        case .noMatch(let path): "“\(path)” matches no files"
        case .ignored(let path): "\(path) is ignored by a .gitignore"
        case .outside(let path): "\(path) is outside this repository's work tree"
        }
    }
    public var hints: [String] {
        switch self {
        case .noMatch: []
        case .ignored(let path): ["`git check-ignore -v \(shellQuoted(path))` names the rule"]
        case .outside: ["run the command in the repository that the file belongs to"]
        }
    }
}

/// Adds files as pointers without the filter's pipe: hashed on all cores, flushed once, one write of the index.
public struct FileAddition: Sendable {
    /// What became of the files of one call.
    public struct Outcome: Sendable {
        public var added: [(path: RepositoryPath, pointer: Pointer)] = []
        /// Files that are no data by any pattern, and links: git itself has added them.
        public var plain: [RepositoryPath] = []
        public var removed: [RepositoryPath] = []
        public var tracked: [String] = []
        public var unchanged = 0
    }

    /// A file that is to become a pointer.
    private struct Item: Sendable {
        let path: RepositoryPath
        let mode: UInt32?
        /// What the index has for it.
        let old: ObjectID?
    }

    private let repository: Repository
    private let workTree: FilePath
    private let link: DataSettings.Link
    private let warnAbove: Int64

    public init(_ repository: Repository, settings: DataSettings) throws {
        self.repository = repository
        workTree = try repository.requireWorkTree()
        link = settings.link
        warnAbove = settings.warnAbove
    }

    /// Adds what lies at and below the paths, which are relative to `folder`; patterns as git's own commands take them.
    ///
    /// Nothing is added when one file cannot be.
    public func run(_ paths: [String], in folder: FilePath) async throws -> Outcome {
        var outcome = Outcome()
        ContentBatch.rescue(repository.contentStore)
        let git = Git(in: folder)
        let found = try await list(paths, git)
        let index = try IndexFile(repository)
        var known: [RepositoryPath: IndexFile.Entry] = [:]
        for entry in index?.entries ?? [] where entry.stage == 0 { known[entry.path] = entry }
        var files: [RepositoryPath] = []
        var others: [RepositoryPath] = []
        for path in found {
            guard let stat = FileStat(workTree.file(path)) else {
                // A sparse checkout leaves files out on purpose; without the index nobody knows.
                if let entry = known[path], !entry.isSkipped { outcome.removed.append(path) }
                continue
            }
            if let entry = known[path], let index, index.isUnchanged(entry, stat) {
                outcome.unchanged += 1
            } else if stat.isFile {
                files.append(path)
            } else {
                others.append(path)
            }
        }
        let (data, plain) = try await sort(files, arguments: paths, in: folder, &outcome)
        outcome.plain = plain + others.filter { $0.last != 0x2f }
        let keepsMode = try repository.setting("core.fileMode") == "false"
        let items = data.map { Item(path: $0, mode: keepsMode ? known[$0]?.mode ?? 0o100644 : nil, old: known[$0]?.id) }
        let entries = try await take(items, &outcome)
        try await write(entries, removing: outcome.removed)
        let rest = outcome.plain + (outcome.tracked.isEmpty ? [] : [Array(".gitattributes".utf8)])
        if !rest.isEmpty {
            try await topGit.bytes(
                ["--literal-pathspecs", "add", "--pathspec-from-file=-", "--pathspec-file-nul"],
                input: ZeroList.text(rest))
        }
        return outcome
    }

    private var topGit: Git { repository.git }

    // MARK: Finding

    private func list(_ paths: [String], _ git: Git) async throws -> [RepositoryPath] {
        let options = ["ls-files", "-z", "-c", "-o", "--exclude-standard", "--full-name", "--"]
        let result = try await git.attempt(options + paths)
        guard result.status == 0 else {
            if result.errors.contains("outside repository") {
                throw AdditionFailure.outside(paths.joined(separator: " "))
            }
            throw ProcessFailure.failed(command: "git ls-files", status: result.status, errors: result.errors)
        }
        let found = ZeroList.parse(result.output)
        if paths.count == 1, !found.isEmpty { return unique(found) }
        for path in paths {
            let own = paths.count == 1 ? found : ZeroList.parse(try await git.bytes(options + [path]))
            if own.isEmpty, !isEmptyFolder(path, git) {
                let isIgnored = try await git.attempt(["check-ignore", "-q", "--", path]).status == 0
                throw isIgnored ? AdditionFailure.ignored(path) : AdditionFailure.noMatch(path)
            }
        }
        return unique(found)
    }

    private func isEmptyFolder(_ path: String, _ git: Git) -> Bool {
        let folder = git.directory.pushing(FilePath(path))
        return Files.status(folder)?.kind == .directory && (try? Files.list(folder))?.isEmpty ?? false
    }

    /// A path in conflict is listed once for each stage.
    private func unique(_ paths: [RepositoryPath]) -> [RepositoryPath] {
        var last: RepositoryPath = []
        var seen: Set<RepositoryPath> = []
        return paths.filter { path in
            defer { last = path }
            return path != last && seen.insert(path).inserted
        }
    }

    /// Which files go through the filter; what no pattern covers gets one, except where the whole work tree was named.
    private func sort(
        _ files: [RepositoryPath], arguments paths: [String], in folder: FilePath, _ outcome: inout Outcome
    ) async throws -> (data: [RepositoryPath], plain: [RepositoryPath]) {
        var filters = try await self.filters(files)
        let isSpecial = { (path: RepositoryPath) in
            path.split(separator: 0x2f).last.map {
                $0.starts(with: ".git".utf8) || $0.elementsEqual("ml.yaml".utf8) || Dataset.isPointerPath(Array($0))
            } ?? false
        }
        let open = files.filter { filters[$0] == "unspecified" && !isSpecial($0) }
        if !open.isEmpty {
            let attributes = Attributes(workTree: workTree)
            let patterns = patterns(for: open, arguments: paths, in: folder)
            outcome.tracked = try attributes.add(patterns)
            // `.gitkeep` and the like, and datasets' pointers, stay files of git's below a folder that becomes data.
            let special = files.filter(isSpecial)
            for pattern in outcome.tracked where pattern.hasSuffix("/**") {
                if special.contains(where: { $0.firstRange(of: Array("/.git".utf8)) != nil }) {
                    try attributes.except(pattern + "/.git*")
                }
            }
            if !outcome.tracked.isEmpty, special.contains(where: { Dataset.isPointerPath($0) }) {
                try attributes.exceptDatasets()
            }
            if !outcome.tracked.isEmpty { filters = try await self.filters(files) }
        }
        return (files.filter { filters[$0] == "lfs" }, files.filter { filters[$0] != "lfs" })
    }

    /// A folder that was named gets a pattern for all below it, a file its own.
    private func patterns(
        for open: [RepositoryPath], arguments: [String], in folder: FilePath
    ) -> [String] {
        let top = FilePath(resolved(workTree))
        let places = arguments.map { argument -> RepositoryPath in
            var place = FilePath(resolved(folder)).pushing(FilePath(argument)).lexicallyNormalized()
            _ = place.removePrefix(top)
            return Array(place.string.utf8)
        }
        var patterns: [String] = []
        for path in open {
            let place = places.filter { path.starts(with: $0 + [0x2f]) }.min { $0.count < $1.count }
            let isFolder = place.map { FileStat(workTree.file($0))?.isDirectory ?? false } ?? false
            if let place, isFolder, !place.isEmpty {
                let pattern = Attributes.literal(String(decoding: place, as: UTF8.self)) + "/**"
                if patterns.last != pattern { patterns.append(pattern) }
                continue
            }
            // Of the work tree as a whole only what is large is data.
            if !places.contains(path), places.contains([]),
                (FileStat(workTree.file(path))?.size ?? 0) <= warnAbove
            {
                continue
            }
            patterns.append("/" + Attributes.literal(String(decoding: path, as: UTF8.self)))
        }
        return patterns
    }

    private func resolved(_ path: FilePath) -> String {
        guard let text = path.withPlatformString({ realpath($0, nil) }) else { return path.string }
        defer { free(text) }
        return String(cString: text)
    }

    private func filters(_ paths: [RepositoryPath]) async throws -> [RepositoryPath: String] {
        try await repository.attribute("filter", of: paths)
    }

    // MARK: Taking in

    private func take(_ items: [Item], _ outcome: inout Outcome) async throws -> [IndexFile.Entry] {
        if items.isEmpty { return [] }
        let batch = try ContentBatch(repository.contentStore)
        let results = Mutex([(blob: [UInt8], pointer: Pointer?, stat: FileStat)?](repeating: nil, count: items.count))
        do {
            try await Threads.each(items.count) { [self] i in
                let result = try read(items[i].path, into: batch)
                if link.linksFiles, let pointer = result.pointer { try forget(items[i], pointer) }
                results.withLock { $0[i] = result }
            }
        } catch {
            batch.discard()
            throw error
        }
        let taken = results.withLock { $0 }.compactMap { $0 }
        // git writes the pointers while the content gets its names.
        async let written = repository.writeBlobs(taken.map(\.blob))
        do { try batch.place() } catch {
            batch.discard()
            throw error
        }
        let ids = try await written
        return zip(items, zip(taken, ids)).map { item, result in
            let (content, id) = result
            if let pointer = content.pointer { outcome.added.append((item.path, pointer)) }
            let mode = item.mode ?? (content.stat.isExecutable ? 0o100755 : 0o100644)
            return IndexFile.Entry(path: item.path, mode: mode, id: id, stat: content.stat)
        }
    }

    /// Takes the earlier content's name away when it is this file, edited in place: its bytes are gone.
    private func forget(_ item: Item, _ new: Pointer) throws {
        guard let id = item.old, let old = try DataFiles(repository).pointer(id), old.digest != new.digest else {
            return
        }
        let place = repository.contentStore.path(of: old.digest)
        if let inode = Files.status(place)?.inode, inode == Files.status(workTree.file(item.path))?.inode {
            Files.remove(place)
        }
    }

    /// Takes one file in, again if it changed meanwhile.
    private func read(
        _ path: RepositoryPath, into batch: ContentBatch
    ) throws -> (blob: [UInt8], pointer: Pointer?, stat: FileStat) {
        let file = workTree.file(path)
        for _ in 0..<3 {
            let handle: FileDescriptor
            do {
                handle = try FileDescriptor.open(file, .readOnly, options: [.closeOnExec, .noFollow])
            } catch let errno as Errno { throw FileFailure("read", file, errno) }
            defer { try? handle.close() }
            guard let before = FileStat(descriptor: handle.rawValue), before.isFile else {
                throw StorageFailure.changing(file.string)
            }
            // What may be a pointer itself is read once, and looked at first.
            var bytes: [UInt8]?
            if before.size <= 4 * Int64(Pointer.maximumLength) {
                guard let all = try whole(handle, file, size: Int(before.size)) else { continue }
                let isPointer =
                    all.isEmpty || (try? Pointer.parse(all, path: "")) != nil || Dataset.isPointer(all, at: path)
                if Pointer.isConflict(all) {
                    throw PointerFailure.conflict(path: String(decoding: path, as: UTF8.self))
                }
                if isPointer { return (all, nil, before) }
                bytes = all
            }
            let content: ContentID
            let isLinked = link.linksFiles && !before.isExecutable
            do {
                content =
                    if isLinked {
                        try batch.link(handle, path: file)
                    } else if let bytes {
                        try batch.take(bytes)
                    } else {
                        try batch.take(handle, path: file, size: before.size)
                    }
            } catch StorageFailure.changing { continue }
            guard let after = FileStat(file), content.size == after.size else { continue }
            // Making it read-only and linking it change its ctime, and nothing else.
            if isLinked ? after.hasSameContent(as: before) : after == before {
                let pointer = Pointer(digest: content.digest, size: content.size)
                return (Array(pointer.text.utf8), pointer, after)
            }
        }
        throw StorageFailure.changing(file.string)
    }

    /// The bytes of a small file; nil when it has another length by now.
    private func whole(_ handle: FileDescriptor, _ path: FilePath, size: Int) throws -> [UInt8]? {
        var count = 0
        var bytes = [UInt8](repeating: 0, count: size + 1)
        do {
            while count < bytes.count {
                let piece = try bytes.withUnsafeMutableBytes { try handle.read(into: .init(rebasing: $0[count...])) }
                if piece == 0 { break }
                count += piece
            }
        } catch let errno as Errno { throw FileFailure("read", path, errno) }
        if count != size { return nil }
        bytes.removeLast()
        return bytes
    }

    // MARK: Writing

    private func write(_ entries: [IndexFile.Entry], removing gone: [RepositoryPath]) async throws {
        if entries.isEmpty, gone.isEmpty { return }
        if try IndexFile.update(repository, adding: entries, removing: Set(gone)) { return }
        var input: [UInt8] = []
        let zero = [UInt8](repeating: 0x30, count: repository.format.digits)
        for path in gone { input += Array("0 ".utf8) + zero + [0x09] + path + [0] }
        for entry in entries {
            input += Array("\(String(entry.mode, radix: 8)) \(entry.id)\t".utf8) + entry.path + [0]
        }
        try await topGit.bytes(["update-index", "-z", "--index-info"], input: input)
        // git reads the files once more to learn what they were.
        _ = try await topGit.attempt(["update-index", "-q", "--refresh"])
    }
}

extension Repository {
    /// The value of one attribute for each path: `unspecified`, `set`, `unset` or a word.
    func attribute(_ name: String, of paths: [RepositoryPath]) async throws -> [RepositoryPath: String] {
        if paths.isEmpty { return [:] }
        let output = try await git.bytes(["check-attr", "-z", "--stdin", name], input: ZeroList.text(paths))
        // path NUL attribute NUL value NUL
        let fields = output.split(separator: 0, omittingEmptySubsequences: false)
        var values: [RepositoryPath: String] = [:]
        for i in stride(from: 0, to: fields.count - 2, by: 3) {
            values[Array(fields[i])] = String(decoding: fields[i + 2], as: UTF8.self)
        }
        return values
    }
}
