internal import Base
internal import SystemPackage

extension ContentBatch {
    /// Waits for contents that another process has taken in and not placed yet, at most half a minute.
    ///
    /// For readers that miss something: while git runs, its filter has files that git has the pointers of already.
    public static func settle(_ store: ContentStore, awaiting contents: [ContentID]) async throws {
        for _ in 0..<300 {
            rescue(store)
            let folders = batches(store)
            let isComing = contents.contains { content in
                !store.contains(content.digest, size: content.size)
                    && folders.contains { Files.exists($0.appending(content.digest.hex)) }
            }
            if !isComing { return }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private static func batches(_ store: ContentStore) -> [FilePath] {
        let incoming = store.root.appending("incoming")
        return ((try? Files.list(incoming)) ?? []).filter { $0.hasPrefix(prefix) }.map { incoming.appending($0) }
    }

    /// Puts in place what killed processes left of deferred batches, and removes what they left of others.
    ///
    /// A process holds the lock of its folder as long as it lives.
    public static func rescue(_ store: ContentStore) {
        for folder in batches(store) {
            let names = (try? Files.list(folder)) ?? []
            // One that is being made is empty and not locked yet.
            let made = Files.status(folder)?.modified ?? .now()
            if names.isEmpty, Timestamp.now().microseconds - made.microseconds < 60_000_000 { continue }
            guard let handle = try? FileDescriptor.open(folder, .readOnly, options: [.closeOnExec]) else { continue }
            defer { try? handle.close() }
            guard flock(handle.rawValue, LOCK_EX | LOCK_NB) == 0 else { continue }
            do {
                for name in names {
                    if let digest = Digest(name) { try adopt(folder.appending(name), as: digest, store) }
                }
                try Files.removeTree(folder)
            } catch {}  // Somebody else's, a full disk: the next one tries again.
        }
    }

    /// Gives a file its name in the store if its bytes are those; a power cut may have taken some.
    private static func adopt(_ file: FilePath, as digest: Digest, _ store: ContentStore) throws {
        let found = try Digest.of(file: file)
        if found.digest != digest || store.keeps(digest, size: found.size) { return }
        do {
            let handle = try FileDescriptor.open(file, .readOnly, options: [.closeOnExec])
            try handle.closeAfter { if fsync(handle.rawValue) != 0 { throw Errno(rawValue: errno) } }
        } catch let errno as Errno { throw FileFailure("flush", file, errno) }
        let target = store.path(of: digest)
        try store.makeDirectory(target.removingLastComponent())
        store.share(file, 0o060)
        try Files.rename(file, to: target)
        Files.flush(target.removingLastComponent())
    }
}
