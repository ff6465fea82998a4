internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Storage
internal import Synchronization
internal import SystemPackage

/// Takes the folders of datasets along when git has changed the pointers beside them.
///
/// What is here is put in place; what is not is brought as the filter does it for files. Git has done its work already:
/// whatever goes wrong is a message.
struct DatasetFollow: Sendable {
    private let repository: Repository
    private let filter: FetchFilter
    private let skips: Bool
    private let project: Project

    private init(_ repository: Repository) {
        self.repository = repository
        let settings = try? repository.lfsSettings()
        filter = settings.map { FetchFilter($0) } ?? FetchFilter()
        skips = FilterProcess.skipsSmudge
        project = (try? Project.inWorkTree(of: repository)) ?? Project()
    }

    /// Follows from one commit to another; without the first all datasets, and those that are `behind` their pointers, too.
    static func run(_ repository: Repository, from old: ObjectID?, to new: ObjectID, behind: Bool = false) async {
        do {
            guard repository.workTree != nil else { return }
            var paths: Set<String> = []
            if let old {
                paths = Set(
                    try repository.changedPaths(from: repository.commit(old).tree, to: repository.commit(new).tree)
                        .filter { $0.hasSuffix(DatasetPointer.suffix) })
            }
            if old == nil || behind {
                paths.formUnion(try await DatasetScan(repository).tracked().map(\.pointerPath))
            }
            if !paths.isEmpty { await DatasetFollow(repository).follow(paths.sorted(), from: old, to: new) }
        } catch {
            Terminal.error("git-ml: the folders of datasets stay as they are: \(error)")
        }
    }

    private func follow(_ paths: [String], from old: ObjectID?, to new: ObjectID) async {
        var kept: [String] = []
        var waiting: [String] = []
        // The first reason holds for all: an unreachable remote is asked once.
        let reason = Mutex<String?>(nil)
        let bar = ProgressBar("git-ml: fetching")
        defer { bar.finish() }
        for path in paths {
            do {
                let dataset = try Dataset(repository, path: path)
                let asking: @Sendable ((DatasetTransfer) async throws -> [ContentID]) async throws -> [ContentID] = {
                    if let known = reason.withLock({ $0 }) { throw NotBrought(description: known) }
                    do { return try await $0(transfer(dataset, bar)) } catch {
                        if filter.allows(dataset.path) { reason.withLock { $0 = "\(error)" } }
                        throw error
                    }
                }
                let fetch: ContentFetch = { contents in
                    if contents.isEmpty { return }
                    _ = try await asking { transfer in
                        try await transfer.fetch(contents)
                        return []
                    }
                }
                let shares: ShareFetch = { shares in try await asking { try await $0.fetch(shares) } }
                guard let result = try await follow(dataset, from: old, to: new, fetch, shares) else { continue }
                if result.waiting > 0 { waiting.append(dataset.path) }
                kept += result.kept.map { $0.isEmpty ? dataset.path : "\(dataset.path)/\($0)" }
            } catch is NotBrought {
                waiting.append(String(path.dropLast(DatasetPointer.suffix.count)))
            } catch {
                if reason.withLock({ $0 }) == "\(error)" {
                    waiting.append(String(path.dropLast(DatasetPointer.suffix.count)))
                } else {
                    Terminal.error("git-ml: \(Terminal.safe(path)): \(error)")
                    for hint in (error as? any Failure)?.hints ?? [] { Terminal.error("git-ml: \(hint)") }
                }
            }
        }
        bar.finish()
        tell(kept: kept, waiting: waiting, reason: reason.withLock { $0 })
    }

    /// One dataset; nil when there was nothing to do.
    private func follow(
        _ dataset: Dataset, from old: ObjectID?, to new: ObjectID, _ fetch: ContentFetch, _ shares: @escaping ShareFetch
    ) async throws -> DatasetCheckedOut? {
        let before = old.flatMap { try? repository.file(dataset.pointerPath, in: $0) }
            .flatMap { try? DatasetPointer.parse($0, path: dataset.pointerPath) }
        guard let bytes = try Files.read(dataset.pointerFile) else {
            // A pointer that is only missing here is no dataset that has gone.
            guard let before, try repository.file(dataset.pointerPath, in: new) == nil else { return nil }
            return try dataset.clear(before.kind)
        }
        guard DatasetPointer.isPointer(bytes) else { return nil }
        let pointer = try DatasetPointer.parse(bytes, path: dataset.pointerPath)
        if dataset.isAt(pointer) { return nil }
        if let before, before.kind != pointer.kind { _ = try dataset.clear(before.kind) }
        return try await dataset.checkOut(
            isPartial: true, link: project.data.link, fetch: fetch, shares: shares)
    }

    private func transfer(_ dataset: Dataset, _ bar: ProgressBar) throws -> DatasetTransfer {
        guard !skips else { throw NotBrought(description: "GIT_LFS_SKIP_SMUDGE is set") }
        guard filter.allows(dataset.path) else {
            throw NotBrought(description: "the settings of fetching leave it out")
        }
        let remote = try DataRemote(repository, project: project).resolve()
        return DatasetTransfer(repository, remote: remote) { bar.advance(by: $0, of: $1) }
    }

    private func tell(kept: [String], waiting: [String], reason: String?) {
        func list(_ names: [String]) -> String {
            Terminal.safe(names.prefix(3).joined(separator: ", "))
                + (names.count > 3 ? " and \(names.count - 3) more" : "")
        }
        if !kept.isEmpty { Terminal.error("git-ml: changes of yours stay as they are: \(list(kept))") }
        if let reason, !waiting.isEmpty {
            Terminal.error("git-ml: not all is here of \(list(waiting)): \(reason); `git ml pull` brings it")
        }
    }
}

/// Content that was not asked for.
private struct NotBrought: Failure {
    let description: String
    var kind: FailureKind { .notFound }
}
