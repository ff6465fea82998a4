internal import Base
internal import GitKit
internal import Pointers
internal import Storage
internal import SystemPackage

/// Brings what a run read into a work tree, and checks it digest by digest.
struct ReproductionInputs {
    /// The repository that the run is recorded in.
    let owner: Repository
    let remote: any ObjectRemote
    private var store: ContentStore { owner.contentStore }
    private var kept: ContentStore { KeptObjects(owner).store }

    /// Brings the content of all pointers of a commit, so that a checkout finds it; what cannot be had is passed over.
    func fetch(_ commit: ObjectID) async throws {
        let transfer = DataTransfer(owner, store: store, remote: remote)
        let pointers = try PointerScan(owner).pointers(in: commit).map(\.pointer)
        if (try? await transfer.fetch(pointers)) != nil { return }
        for pointer in pointers { _ = try? await transfer.fetch([pointer]) }
    }

    /// Puts content in place where a pointer still stands, or where the commit has nothing.
    func place(_ items: [RunItem], _ commit: ObjectID, in worktree: Repository) async throws {
        let transfer = DataTransfer(worktree, store: store, remote: remote)
        _ = try? await transfer.checkOut(commit)
        let top = try worktree.requireWorkTree()
        for item in items {
            guard let file = Self.file(item.path, below: top), !Files.exists(file),
                let source = try await source(of: item)
            else { continue }
            try Files.makeDirectory(file.removingLastComponent())
            try Files.clone(source, to: file)
        }
    }

    /// What keeps the inputs from being what they were; empty when all is well.
    func problems(_ items: [RunItem], in worktree: Repository) throws -> [String] {
        let top = try worktree.requireWorkTree()
        return items.compactMap { item in
            guard let file = Self.file(item.path, below: top) else {
                return "the input \(item.path) lies outside the repository, or behind a link"
            }
            guard Files.exists(file) else {
                return "the input \(item.path) (\(item.digest.short)) is missing: neither here nor at \(remote.address)"
            }
            guard let found = try? Digest.of(file: file) else { return "the input \(item.path) cannot be read" }
            if found.digest == item.digest { return nil }
            if let bytes = try? Files.read(file), bytes.count <= Pointer.maximumLength,
                (try? Pointer.parse(bytes, path: item.path))?.digest == item.digest
            {
                return "the content of the input \(item.path) (\(item.digest.short)) is neither here nor at "
                    + remote.address
            }
            return "the input \(item.path) is \(found.digest.short) and was \(item.digest.short)"
        }
    }

    /// A file with an item's bytes: in one of the stores, at the remote, or in the user's own work tree.
    private func source(of item: RunItem) async throws -> FilePath? {
        for place in [store, kept] where place.contains(item.digest, size: item.size) {
            return place.path(of: item.digest)
        }
        let content = ContentID(item.digest, size: item.size)
        if (try? await Transfer(remote, store: kept).download([content])) != nil {
            return kept.path(of: item.digest)
        }
        guard let file = owner.workTree.flatMap({ Self.file(item.path, below: $0) }),
            Files.status(file)?.size == item.size, try Digest.of(file: file).digest == item.digest
        else { return nil }
        return file
    }

    /// The path below a folder; nil when it leads out of it, by its words or by a link.
    static func file(_ path: String, below top: FilePath) -> FilePath? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.isEmpty, !parts.contains(where: { ["", ".", "..", ".git"].contains($0.lowercased()) }) else {
            return nil
        }
        var file = top
        for part in parts {
            file = file.appending(String(part))
            if Files.status(file)?.kind == .link { return nil }
        }
        return file
    }
}
