internal import Base
public import Storage
internal import SystemPackage

/// What a checkout did with a dataset; paths as people read them.
public struct DatasetCheckedOut: Sendable {
    public var written = 0
    public var removed = 0
    public var bytes: Int64 = 0
    /// Files that the user has changed, or made where the dataset has one: left as they are.
    public var kept: [String] = []
    /// Files that are not as they should be, because their content is not here.
    public var waiting = 0
}

extension Dataset {
    /// Makes the folder what the pointer beside it says.
    ///
    /// Files that are there already are not written again, so that an interrupted checkout is continued; files that the user has
    /// changed are left alone and named, unless `force`; files of an earlier state go when nobody has changed them, files that
    /// were never in the dataset stay. Only packs that hold a wanted file are fetched; of one of which little is
    /// needed, `shares` brings that.
    ///
    /// With `link` hardlink or symlink a file is a link to a read-only one in the repository's cache, which holds its content
    /// unpacked; programs, empty files, and hard links to another file system, are copies. Files whose content is here are
    /// made anew when they stand in another form. Content lies in packs, of which a file cannot be a reflink: that is a copy.
    ///
    /// With `isPartial` a failing `fetch` is no error once the manifest can be read: files whose content is not here stay as
    /// they are, and `add` refuses the folder until a checkout has completed it.
    public func checkOut(
        force: Bool = false, isPartial: Bool = false, link: DataSettings.Link = .reflink, fetch: ContentFetch,
        shares: ShareFetch? = nil,
        progress: @escaping @Sendable (_ done: Int64, _ total: Int64) -> Void = { _, _ in }
    ) async throws -> DatasetCheckedOut {
        guard let pointer = try pointer() else { throw FileFailure("read", pointerFile, .noSuchFileOrDirectory) }
        try await prepare(pointer, fetch: fetch)
        var needs = PackNeeds([], self)
        for attempt in 0..<3 {
            // What is missing is fetched without the lock, because that can take hours.
            var leaves = false
            if attempt > 0 {
                do { try await bring(needs, fetch, shares) } catch  where isPartial { leaves = true }
            }
            let result: DatasetCheckedOut? = try FileLock.with(lockFile) {
                var plan = DatasetCheckout(self, pointer, link: link, force: force)
                try plan.decide()
                needs = plan.needs()
                if leaves { plan.leave() }
                return needs.contents.isEmpty || leaves ? try plan.carryOut(progress: progress) : nil
            }
            if let result { return result }
        }
        throw DatasetFailure.missing(path, needs.contents.first?.digest ?? pointer.manifest.digest)
    }

    private func bring(_ needs: PackNeeds, _ fetch: ContentFetch, _ shares: ShareFetch?) async throws {
        var whole = needs.contents
        if let shares, !needs.shares.isEmpty {
            let rest = try await shares(needs.shares)
            let done = Set(needs.shares.map(\.pack.content)).subtracting(rest)
            whole.removeAll { done.contains($0) }
        }
        try await fetch(whole)
    }

    /// Takes away what a dataset that has gone from git has left in the work tree: what nobody has changed.
    public func clear(_ kind: DatasetPointer.Kind) throws -> DatasetCheckedOut {
        try FileLock.with(lockFile) {
            var plan = DatasetCheckout(self, .empty(kind), link: .reflink, force: false)
            return try plan.clear()
        }
    }

    /// Whether the folder is at the state that a pointer names, as far as the last command on it knows.
    public func isAt(_ pointer: DatasetPointer) -> Bool {
        Files.exists(place) && DatasetCache.manifest(of: cacheFile) == ContentName(pointer.manifest.digest)
    }

    /// The contents of a dataset that are not here; of one whose root is not here, the root.
    public func missing(_ pointer: DatasetPointer) throws -> [ContentID] {
        let root = pointer.manifest
        guard store.contains(root.digest, size: root.size) else { return [root] }
        return try contents(pointer).filter { !store.contains($0.digest, size: $0.size) }
    }
}
