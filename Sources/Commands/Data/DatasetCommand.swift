internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Storage
internal import Synchronization
internal import SystemPackage

/// What the commands on data do with datasets.
struct DatasetCommand {
    private let repository: Repository
    private let data: DataCommand

    init(_ repository: Repository) throws {
        self.repository = repository
        data = try DataCommand(repository)
    }

    /// Brings contents from the data remote, with a bar; the remote is looked for when something is missing.
    private func fetch(_ bar: ProgressBar) -> ContentFetch {
        { contents in
            let transfer = DatasetTransfer(repository, remote: try data.remote(nil)) { bar.advance(by: $0, of: $1) }
            try await transfer.fetch(contents)
        }
    }

    /// The same for small shares of packs.
    private func shares(_ bar: ProgressBar, from remote: String? = nil) -> ShareFetch {
        { shares in
            try await DatasetTransfer(repository, remote: data.remote(remote)) { bar.advance(by: $0, of: $1) }
                .fetch(shares)
        }
    }

    private func withFetch<T>(_ body: (ContentFetch) async throws -> T) async throws -> T {
        let bar = ProgressBar("fetching")
        defer { bar.finish() }
        return try await body(fetch(bar))
    }

    func add(_ paths: [String]) async throws -> [(dataset: Dataset, result: DatasetAdded)] {
        var results: [(Dataset, DatasetAdded)] = []
        for path in paths {
            let dataset = try Dataset.named(path, in: repository)
            try await dataset.checkUntracked(repository)
            let bar = ProgressBar("reading")
            defer { bar.finish() }
            let result = try await withFetch { fetch in
                try await dataset.add(fetch: fetch) { bar.advance(by: $0, of: $1) }
            }
            try await dataset.register(repository)
            results.append((dataset, result))
        }
        return results
    }

    /// The datasets that git knows at, below or around these paths; all without any.
    func select(_ paths: [String]) async throws -> [Dataset] {
        let all = try await DatasetScan(repository).tracked()
        if paths.isEmpty || all.isEmpty { return all }
        let wanted = paths.map { try? Dataset.named($0, in: repository).path }
        return all.filter { dataset in
            wanted.contains { path in
                guard let path else { return true }
                return dataset.path == path || dataset.path.hasPrefix(path + "/") || path.hasPrefix(dataset.path + "/")
            }
        }
    }

    /// How each dataset differs from its pointer.
    func status() async throws -> [DatasetState] {
        try await DatasetScan(repository).tracked().compactMap { dataset in
            guard let pointer = try dataset.pointer() else { return nil }
            // Without folder and manifest there is nothing to compare: it has not been fetched.
            let isReadable = try !dataset.statusNeedsManifest(pointer) || dataset.missingForReading(pointer).isEmpty
            let changes = Files.exists(dataset.place) && isReadable ? try dataset.status() : nil
            return DatasetState(path: dataset.path, pointer: pointer, changes: changes)
        }
    }

    /// Puts datasets into the work tree; patterns are remembered, so that the next time brings the same part.
    ///
    /// Without `asks` no remote is asked: what is missing is an error.
    func checkOut(
        _ datasets: [Dataset], include: [String] = [], exclude: [String] = [], force: Bool = false, asks: Bool = true
    ) async throws -> [(dataset: Dataset, result: DatasetCheckedOut)] {
        var results: [(Dataset, DatasetCheckedOut)] = []
        for dataset in datasets where try dataset.pointer() != nil {
            if !include.isEmpty || !exclude.isEmpty {
                let own = { (pattern: String) in
                    pattern.hasPrefix(dataset.path + "/") ? String(pattern.dropFirst(dataset.path.count + 1)) : pattern
                }
                try dataset.setSelection(PathSelection(include: include.map(own), exclude: exclude.map(own)))
            }
            let none: ContentFetch = { contents in
                if let first = contents.first { throw NotFetched(path: dataset.path, content: first) }
            }
            let fetching = ProgressBar("fetching")
            let writing = ProgressBar("writing")
            defer {
                fetching.finish()
                writing.finish()
            }
            let result = try await dataset.checkOut(
                force: force, link: data.project.data.link, fetch: asks ? fetch(fetching) : none,
                shares: asks ? shares(fetching) : nil
            ) { writing.advance(by: $0, of: $1) }
            results.append((dataset, result))
        }
        return results
    }

    /// Says what a checkout did; the files that were left as they are make an error, at the end.
    func tell(_ results: [(dataset: Dataset, result: DatasetCheckedOut)], say: (String) -> Void) throws {
        for (dataset, result) in results where result.written > 0 || result.removed > 0 {
            let gone = result.removed > 0 ? ", removed \(result.removed)" : ""
            say(
                Terminal.safe(
                    "\(dataset.path): wrote \(result.written) file(s), \(ByteCount.format(result.bytes))\(gone)"))
        }
        let kept = results.flatMap { item in item.result.kept.map { "\(item.dataset.path)/\($0)" } }
        if !kept.isEmpty { throw KeptFiles(paths: kept) }
    }

    /// How the datasets of two commits differ; their manifests are brought when they are not here.
    func changes(
        _ old: ObjectID, _ new: ObjectID, where isWanted: (String) -> Bool
    ) async throws -> [(path: String, changes: DatasetChanges)] {
        let scan = DatasetScan(repository)
        let before = Dictionary(try scan.pointers(in: old).map { ($0.path, $0.pointer) }) { a, _ in a }
        let after = Dictionary(try scan.pointers(in: new).map { ($0.path, $0.pointer) }) { a, _ in a }
        var found: [(String, DatasetChanges)] = []
        for path in Set(before.keys).union(after.keys).sorted() where before[path] != after[path] {
            let dataset = try Dataset(repository, path: path)
            guard isWanted(dataset.path) else { continue }
            try await withFetch { fetch in
                for case let pointer? in [before[path], after[path]] {
                    try await dataset.prepare(pointer, fetch: fetch)
                }
            }
            let changes = try DatasetChanges.between(
                before[path], after[path], name: dataset.path, store: dataset.store)
            found.append((dataset.path, changes))
        }
        return found
    }

    /// Merges three pointer files for git's merge driver; the result goes into the second.
    ///
    /// Returns the paths in conflict.
    func merge(base: FilePath, ours: FilePath, theirs: FilePath, path: String) async throws -> [String] {
        let dataset = try Dataset(repository, path: path)
        return try await withFetch { fetch in
            func pointer(_ file: FilePath) async throws -> DatasetPointer {
                let pointer = try DatasetPointer.parse(Files.read(file) ?? [], path: path)
                try await dataset.prepare(pointer, fetch: fetch)
                return pointer
            }
            // Both sides may have made it: then there is no common state.
            let before = (Files.status(base)?.size ?? 0) > 0 ? try await pointer(base) : nil
            let merged = try DatasetMerge.run(
                base: before, ours: try await pointer(ours), theirs: try await pointer(theirs), name: dataset.path,
                store: dataset.store)
            try Files.replace(ours, with: merged.pointer.text.utf8)
            return merged.conflicts
        }
    }

    /// Brings what the work tree needs of the datasets of these commits; returns what was brought.
    func fetch(_ commits: Set<ObjectID>, whole: Bool, from remote: String?, where allows: (String) -> Bool) async throws
        -> [ContentID]
    {
        var seen: Set<DatasetPointer> = []
        let brought = Mutex([ContentID]())
        let bar = ProgressBar("fetching")
        defer { bar.finish() }
        let fetch: ContentFetch = { contents in
            if contents.isEmpty { return }
            let transfer = DatasetTransfer(repository, remote: try data.remote(remote)) { bar.advance(by: $0, of: $1) }
            try await transfer.fetch(contents)
            brought.withLock { $0 += contents }
        }
        for commit in commits {
            for (path, pointer) in try DatasetScan(repository).pointers(in: commit) {
                let dataset = Dataset(stored: repository, path: path)
                guard allows(dataset.path), seen.insert(pointer).inserted else { continue }
                try await dataset.prepare(pointer, fetch: fetch)
                if whole {
                    try await fetch(dataset.missing(pointer))
                    continue
                }
                let (contents, shares) = try dataset.missingForCheckout(pointer)
                let rest = shares.isEmpty ? [] : try await self.shares(bar, from: remote)(shares)
                let alone = Set(shares.map(\.content)).subtracting(rest)
                try await fetch(contents.filter { !alone.contains($0) })
                brought.withLock { $0 += shares.filter { alone.contains($0.content) }.flatMap(\.parts) }
            }
        }
        return brought.withLock { $0 }
    }

    /// A dataset as `--json` shows it: `path` `kind` `oid` `size` `present` `files`.
    static func json(_ path: String, _ pointer: DatasetPointer, isPresent: Bool?) -> JSON {
        [
            "path": .string(path), "kind": "dataset", "oid": .string(pointer.manifest.digest.description),
            "size": .int(pointer.size), "present": isPresent.map { .bool($0) } ?? .null, "files": .int(pointer.files),
        ]
    }
}

/// How the work tree stands to one dataset's pointer.
struct DatasetState {
    let path: String
    let pointer: DatasetPointer
    /// Nil: it has not been fetched.
    let changes: DatasetChanges?

    var isClean: Bool { changes?.isEmpty ?? false }

    private var items: [(state: String, path: String)] {
        guard let changes else { return [] }
        return changes.added.map { ("added", $0) } + changes.changed.map { ("changed", $0) }
            + changes.removed.map { ("removed", $0) }
    }

    var json: [JSON] {
        if changes == nil {
            return [["path": .string(path), "kind": "dataset", "state": "missing", "size": .int(pointer.size)]]
        }
        return items.map { ["path": .string("\(path)/\($0.path)"), "kind": "dataset", "state": .string($0.state)] }
    }

    var lines: [String] {
        guard let changes else {
            return [Terminal.safe("\(path): not here; `git ml pull \(shellQuoted(path))` brings it")]
        }
        if changes.isEmpty { return [] }
        let shown = items.prefix(20).map { Terminal.safe("  \($0.state.padded(to: 8)) \(path)/\($0.path)") }
        let more = items.count > 20 ? ["  … and \(items.count - 20) more (--json lists all)"] : []
        let counts = "\(changes.added.count) added, \(changes.changed.count) changed, \(changes.removed.count) removed"
        return [Terminal.safe("\(path): \(counts)")] + shown + more
            + [
                Terminal.safe(
                    "`git ml add --dataset \(shellQuoted(path))` keeps it, `git ml checkout \(shellQuoted(path))` brings back what was removed."
                )
            ]
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}

/// Files that a checkout did not overwrite.
struct KeptFiles: Failure {
    let paths: [String]
    var kind: FailureKind { .user }
    var description: String {
        let names = paths.prefix(5).map { Terminal.safe($0) }.joined(separator: ", ")
        return
            "\(paths.count) file(s) have changes of yours and stay as they are: \(names)\(paths.count > 5 ? ", …" : "")"
    }
    var hints: [String] {
        ["`git ml add --dataset DIR` keeps your changes; `git ml checkout --force DIR` gives them up"]
    }
}

/// A dataset whose content is not in this clone.
struct NotFetched: Failure {
    let path: String
    let content: ContentID
    var kind: FailureKind { .notFound }
    var description: String { "content of \(Terminal.safe(path)) is not in this clone (\(content.digest.short))" }
    var hints: [String] { ["`git ml pull \(shellQuoted(path))` brings it"] }
}
