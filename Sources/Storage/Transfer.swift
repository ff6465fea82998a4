internal import Base
internal import SystemPackage

/// Moves many contents between a store and a remote.
///
/// As many at once as the remote is wide. Partial downloads stay as `<store>/incoming/<oid>.part` and are continued by
/// the next call; every download is hashed before it is put in place. Passing failures are met by trying again.
public struct Transfer: Sendable {
    /// Gets the bytes moved since the last call, and those of all that were asked for; a negative number takes back
    /// what has to be moved again.
    public typealias Progress = @Sendable (_ moved: Int64, _ total: Int64) -> Void

    private let remote: RetryingRemote
    private let store: ContentStore
    private let progress: Progress

    public init(_ remote: any ObjectRemote, store: ContentStore, progress: @escaping Progress = { _, _ in }) {
        self.remote = RetryingRemote(remote)
        self.store = store
        self.progress = progress
    }

    /// Sends contents that the remote lacks; ask `present` for them before.
    ///
    /// A file of the store whose bytes do not match its name is an error and is not sent.
    public func upload(_ contents: [ContentID]) async throws {
        let total = contents.reduce(0) { $0 + $1.size }
        var rest = contents
        if let there = remote.localStore {
            let copy = StoreCopy(.upload, store, there, address: remote.address)
            rest = try await copy.run(contents) { progress($0, total) }
        }
        try await each(rest) { content in
            let file = store.path(of: content.digest)
            guard store.contains(content.digest, size: content.size) else {
                throw StorageFailure.missing(content.digest, remote: store.root.string)
            }
            if !remote.verifiesUploads, try Digest.of(file: file) != (content.digest, content.size) {
                throw StorageFailure.damaged(content.digest, place: file.string)
            }
            try await remote.upload(content, from: file) { progress($0, total) }
        }
    }

    /// Brings contents into the store; what is there already is left alone.
    public func download(_ contents: [ContentID]) async throws {
        let absent = contents.filter { !store.contains($0.digest, size: $0.size) }
        let total = absent.reduce(0) { $0 + $1.size }
        var rest = absent
        if let there = remote.localStore {
            let copy = StoreCopy(.download, store, there, address: remote.address)
            rest = try await copy.run(absent) { progress($0, total) }
        }
        if rest.count > 1 { remote.announce(rest) }
        let placement = Placement(store)
        do {
            try await each(rest) { content in try await bring(content, placement) { progress($0, total) } }
        } catch {
            // What has come whole is kept.
            try? placement.flush()
            throw error
        }
        try placement.flush()
    }

    private func bring(
        _ content: ContentID, _ placement: Placement, _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        guard let part = try await hold(content, placement) else { return progress(content.size) }
        // What an earlier download left may have been bad, and a passing fault may spoil bytes once: two fresh starts.
        var starts = part.size == 0 ? 1 : 0
        progress(part.size)
        while true {
            if part.size < content.size {
                try await remote.fetch(content, to: part.path, progress: progress)
            }
            if try Digest.of(file: part.path) == (content.digest, content.size) {
                return try placement.add(part, at: store.path(of: content.digest))
            }
            progress(-part.size)
            try part.empty()
            guard starts < 2 else {
                Files.remove(part.path)
                throw StorageFailure.damaged(content.digest, place: remote.address)
            }
            starts += 1
        }
    }

    /// The partial file, once no other process has it; nil when another has brought the content meanwhile.
    private func hold(_ content: ContentID, _ placement: Placement) async throws -> PartialFile? {
        while true {
            if store.contains(content.digest, size: content.size) { return nil }
            if let part = try PartialFile.ifFree("\(content.digest.hex).part", in: store) {
                guard store.contains(content.digest, size: content.size) else { return part }
                Files.remove(part.path)
                return nil
            }
            // The other may be waiting for one of ours.
            try placement.flush()
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func each(
        _ contents: [ContentID], _ work: @escaping @Sendable (ContentID) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var rest = Set(contents).sorted { $0.digest < $1.digest }[...]
            for content in rest.prefix(remote.width) { group.addTask { try await work(content) } }
            rest = rest.dropFirst(remote.width)
            while try await group.next() != nil {
                if let content = rest.popFirst() { group.addTask { try await work(content) } }
            }
        }
    }
}
