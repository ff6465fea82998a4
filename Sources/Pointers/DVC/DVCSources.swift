internal import Base
internal import GitKit
internal import Storage
internal import Synchronization
internal import SystemPackage

/// Where the content of what DVC tracks comes from: the work tree, DVC's cache, its remote, in this order.
final class DVCSources: Sendable {
    enum Place: String, Sendable { case workTree = "work tree", cache, remote }

    /// Content that is in the store.
    struct Found: Sendable {
        let content: ContentID
        let from: Place
        /// The stamp of the file in the work tree that has it.
        var stat: FileStat?
    }

    /// One file to take over.
    struct Item: Sendable {
        /// From the top of the work tree.
        let path: String
        let hash: DVCHash
        let isExecutable: Bool
        /// Index of its output.
        let output: Int
    }

    private let project: DVCProject
    private let store: ContentStore
    private let incoming: FilePath
    private let caches: [String: FilePath]
    private let remotes: [String: KeyedObjects]

    /// `remote` nil: each output's own, else the default one.
    init(_ repository: Repository, _ project: DVCProject, _ outputs: [DVCOutput], remote: String?) throws {
        self.project = project
        store = repository.contentStore
        incoming = repository.mlDirectory.appending("cache").appending("dvc")
        var caches: [String: FilePath] = [:]
        var remotes: [String: KeyedObjects] = [:]
        let settings = try repository.lfsSettings()
        var configs: [FilePath: DVCConfig] = [:]
        for output in outputs {
            guard let root = project.roots[output.file] else { continue }
            let config = try configs[root] ?? DVCConfig(root: root)
            configs[root] = config
            caches[output.file] = config.cache(root: root)
            let key = Self.key(output)
            if remotes[key] == nil { remotes[key] = try config.source(remote ?? output.remote, settings: settings) }
        }
        self.caches = caches
        self.remotes = remotes
    }

    private static func key(_ output: DVCOutput) -> String { output.file + "\0" + (output.remote ?? "") }

    /// Where content of these outputs was looked for.
    func places(_ outputs: [DVCOutput]) -> [String] {
        var places = ["the work tree"]
        for output in outputs {
            for place in [caches[output.file]?.string, remotes[Self.key(output)]?.address].compactMap({ $0 })
            where !places.contains(place) { places.append(place) }
        }
        return places
    }

    // MARK: Lists of folders

    /// The list of a folder's files; nil when it is nowhere.
    func list(_ output: DVCOutput) async throws -> [DVCFile]? {
        if let files = output.files { return files }
        for file in cached(output.hash, output, suffix: ".dir") where Files.status(file)?.kind == .file {
            guard let bytes = try Files.read(file) else { continue }
            return try checked(bytes, output, place: file.string)
        }
        guard let remote = remotes[Self.key(output)],
            let part = try await fetch(output.hash, from: remote, suffix: ".dir"),
            let bytes = try Files.read(part)
        else { return nil }
        Files.remove(part)
        return try checked(bytes, output, place: remote.address)
    }

    private func checked(_ bytes: [UInt8], _ output: DVCOutput, place: String) throws -> [DVCFile] {
        var hasher = MD5Hasher()
        hasher.update(bytes)
        guard hasher.finish() == output.hash.md5 else {
            throw DVCFailure.damaged(path: "the list of " + output.path, place: place, wanted: output.hash.md5 + ".dir")
        }
        return try DVCReader.list(bytes, output)
    }

    private func cached(_ hash: DVCHash, _ output: DVCOutput, suffix: String = "") -> [FilePath] {
        guard let cache = caches[output.file] else { return [] }
        return hash.keys(suffix: suffix).map { cache.appending(FilePath($0).components) }
    }

    // MARK: Content

    /// What is here already: takes the content in, from the work tree or the cache, on all cores.
    ///
    /// With `onlyLooks` nothing is written, and what is in the cache counts without being read; with `leaves` files of folders
    /// that are in the work tree are only checked. Nil for what is not here.
    func take(
        _ items: [Item], _ outputs: [DVCOutput], onlyLooks: Bool, leaves: Bool,
        progress: @escaping OtherRepository.Progress
    ) async throws -> [Found?] {
        let results = Mutex([Found?](repeating: nil, count: items.count))
        let candidates = items.map { item in
            [(project.path(item.path), Place.workTree)]
                + cached(item.hash, outputs[item.output]).map { ($0, Place.cache) }
        }
        let total = candidates.reduce(Int64(0)) { sum, files in
            sum + (files.lazy.compactMap { Self.size($0.0) }.first ?? 0)
        }
        let batch = onlyLooks ? nil : try ContentBatch(store)
        try await Threads.each(items.count) { i in
            let isLeft = leaves && outputs[items[i].output].isFolder
            for (file, place) in candidates[i] {
                guard let size = Self.size(file) else { continue }
                let stat = FileStat(file)
                let content =
                    onlyLooks && place == .cache
                    ? ContentID(Digest.of(""), size: size)
                    : try Self.take(file, items[i].hash, into: isLeft && place == .workTree ? nil : batch) {
                        progress($0, total)
                    }
                guard let content else { continue }
                // A file that was changed meanwhile is looked at anew by git.
                let isSame = place == .workTree && stat?.isFile == true && FileStat(file) == stat
                results.withLock { $0[i] = Found(content: content, from: place, stat: isSame ? stat : nil) }
                break
            }
        }
        try batch?.place()
        return results.withLock { $0 }
    }

    /// The size of a file, through links; nil when there is none.
    private static func size(_ file: FilePath) -> Int64? {
        guard let status = Files.status(file) else { return nil }
        if status.kind == .file { return status.size }
        guard status.kind == .link, let text = file.withPlatformString({ realpath($0, nil) }) else { return nil }
        defer { free(text) }
        let target = Files.status(FilePath(platformString: text))
        return target?.kind == .file ? target?.size : nil
    }

    /// Takes a file in, or only reads it without a batch; nil when it has another MD5.
    private static func take(
        _ file: FilePath, _ hash: DVCHash, into batch: ContentBatch?, progress: (Int64) -> Void
    ) throws -> ContentID? {
        var hasher = DVCHasher(isLegacy: hash.isLegacy)
        guard let batch else {
            let size = try Files.readPieces(of: file) { hasher.update($0) }
            return hash.matches(hasher) ? ContentID(Digest.of(""), size: size) : nil
        }
        do {
            let handle = try FileDescriptor.open(file, .readOnly, options: [.closeOnExec])
            return try handle.closeAfter {
                try batch.take { buffer in
                    let count = try handle.read(into: buffer)
                    hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    progress(Int64(count))
                    // What does not match is not kept.
                    if count == 0, !hash.matches(hasher) { throw OtherContent() }
                    return count
                }
            }
        } catch is OtherContent { return nil } catch let errno as Errno { throw FileFailure("read", file, errno) }
    }

    private struct OtherContent: Error {}

    /// What must come from a remote; nil for what is not there either.
    func download(
        _ items: [Item], _ outputs: [DVCOutput], onlyLooks: Bool, progress: @escaping OtherRepository.Progress
    ) async throws -> [ContentID?] {
        try await withThrowingTaskGroup(of: (Int, ContentID?).self) { group in
            var results = [ContentID?](repeating: nil, count: items.count)
            for (i, item) in items.enumerated() {
                if i >= 8, let (done, content) = try await group.next() { results[done] = content }
                guard let remote = remotes[Self.key(outputs[item.output])] else { continue }
                group.addTask {
                    (i, try await self.download(item, from: remote, onlyLooks: onlyLooks, progress: progress))
                }
            }
            for try await (done, content) in group { results[done] = content }
            return results
        }
    }

    private func download(
        _ item: Item, from remote: KeyedObjects, onlyLooks: Bool, progress: @escaping OtherRepository.Progress
    ) async throws -> ContentID? {
        if onlyLooks {
            for key in item.hash.keys() {
                if let size = try await remote.size(key) { return ContentID(Digest.of(""), size: size) }
            }
            return nil
        }
        // What an interrupted download left may be bad: one fresh start.
        for _ in 0..<2 {
            guard let part = try await fetch(item.hash, from: remote, progress: progress) else { return nil }
            let batch = try ContentBatch(store)
            let content = try Self.take(part, item.hash, into: batch) { _ in }
            try batch.place()
            Files.remove(part)
            if let content { return content }
        }
        throw DVCFailure.damaged(path: item.path, place: remote.address, wanted: item.hash.md5)
    }

    /// Brings one object into a file of its own; nil when the remote does not have it.
    private func fetch(
        _ hash: DVCHash, from remote: KeyedObjects, suffix: String = "",
        progress: @escaping OtherRepository.Progress = { _, _ in }
    ) async throws -> FilePath? {
        for key in hash.keys(suffix: suffix) {
            guard let size = try await remote.size(key) else { continue }
            let part = incoming.appending("\(hash.md5)\(suffix).part")
            try Files.makeDirectory(incoming)
            if let old = Files.status(part)?.size, old > size { Files.remove(part) }
            if size == 0 {
                try Files.replace(part, with: [])
                return part
            }
            try await remote.download(key, size: size, to: part) { progress($0, 0) }
            return part
        }
        return nil
    }
}
