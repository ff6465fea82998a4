internal import Base
internal import GitKit
internal import Pointers
internal import Runs
internal import Storage
internal import SystemPackage

/// Clean checkouts of a candidate for commands that look at it, with the data in its place.
struct GateCheckout: Sendable {
    let owner: Repository
    let remote: (@Sendable () throws -> any ObjectRemote)?

    /// Calls `body` with the folder of a fresh checkout, which goes afterwards.
    ///
    /// `needs` are the data files and datasets, or folders of such, that are to be in place; nil: all.
    func with<T: Sendable>(
        _ commit: ObjectID, needs: [String]?, _ body: (FilePath) async throws -> T
    ) async throws -> T {
        let worktree = try await ScratchWorktree.make(commit, in: owner)
        let path = worktree.path
        do {
            try await place(commit, needs, in: Repository(path))
            let result = try await body(path)
            await worktree.remove()
            return result
        } catch {
            await worktree.remove()
            throw error
        }
    }

    private func place(_ commit: ObjectID, _ needs: [String]?, in worktree: Repository) async throws {
        func isWanted(_ path: String) -> Bool {
            guard let needs else { return true }
            return needs.contains { path == $0 || path.hasPrefix($0 + "/") || $0.hasPrefix(path + "/") }
        }
        let files = try await DataFiles(worktree).at(commit).filter { isWanted($0.name) }
        let data = try WorkTreeData(worktree, link: .reflink)
        let waiting = try data.waiting(files)
        try await fetch(waiting.map(\.pointer))
        _ = try await data.checkOut(waiting)
        for dataset in try await DatasetScan(worktree).tracked() where isWanted(dataset.path) {
            let transfer = DatasetTransfer(owner, remote: try source())
            if let part = Self.part(of: dataset.path, needs) { try dataset.setSelection(PathSelection(include: part)) }
            _ = try await dataset.checkOut(force: true, fetch: { try await transfer.fetch($0) })
        }
    }

    /// The files of a dataset that are needed; nil: all.
    private static func part(of dataset: String, _ needs: [String]?) -> [String]? {
        guard let needs, !needs.contains(where: { dataset == $0 || dataset.hasPrefix($0 + "/") }) else { return nil }
        return needs.filter { $0.hasPrefix(dataset + "/") }.map { String($0.dropFirst(dataset.count + 1)) }
    }

    /// Brings content into this clone's store.
    func fetch(_ pointers: [Pointer]) async throws {
        try await DataTransfer(owner, store: owner.contentStore, remote: source()).fetch(pointers)
    }

    /// Where content comes from; without a remote there is only what is here.
    private func source() throws -> any ObjectRemote {
        try remote?() ?? DirectoryRemote(owner.contentStore.root)
    }
}
