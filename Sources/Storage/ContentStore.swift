public import Base
public import SystemPackage

/// Content under its SHA-256, laid out as git-lfs does: `<root>/ab/cd/abcd…`.
///
/// A file under its final name is always whole: content is written beside it, hashed on the way, flushed and renamed.
public struct ContentStore: Sendable {
    public let root: FilePath
    /// Whether the group may write too (`core.sharedRepository`).
    public let isShared: Bool

    public init(_ root: FilePath, isShared: Bool = false) {
        self.root = root
        self.isShared = isShared
    }

    /// Makes a folder of the store; in a shared one each new folder is the group's as well.
    func makeDirectory(_ folder: FilePath) throws {
        guard isShared else {
            // Twenty thousand new contents need nearly as many folders: one call for each.
            if folder.withPlatformString({ mkdir($0, 0o777) }) == 0 { return }
            return try Files.makeDirectory(folder)
        }
        if Files.exists(folder) { return }
        if folder.removingLastComponent() != folder, folder != root.removingLastComponent() {
            try makeDirectory(folder.removingLastComponent())
        }
        try Files.makeDirectory(folder)
        share(folder, 0o2070)
    }

    /// Opens a new file or folder to the group, in a shared store.
    func share(_ path: FilePath, _ bits: UInt32) {
        guard isShared, let mode = Files.status(path)?.mode else { return }
        _ = path.withPlatformString { chmod($0, mode_t(mode | bits)) }
    }

    /// Where the content lies, or would lie.
    public func path(of digest: Digest) -> FilePath {
        let hex = digest.hex
        return root.appending(String(hex.prefix(2))).appending(String(hex.dropFirst(2).prefix(2))).appending(hex)
    }

    /// Whether content of that size is here; a file of another size counts as absent.
    public func contains(_ digest: Digest, size: Int64) -> Bool { Files.status(path(of: digest))?.size == size }

    /// Takes in what `produce` hands to its argument piece by piece.
    public func insert(_ produce: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws -> (
        digest: Digest, size: Int64
    ) {
        let incoming = root.appending("incoming").appending("\(UUIDv7())")
        try makeDirectory(incoming.removingLastComponent())
        var hasher = Digest.Hasher()
        var size: Int64 = 0
        do {
            try Files.replace(incoming) { file in
                try produce { piece in
                    hasher.update(piece)
                    size += Int64(piece.count)
                    do { _ = try file.writeAll(piece) } catch let errno as Errno {
                        throw FileFailure("write", incoming, errno)
                    }
                }
            }
            let digest = hasher.finish()
            try place(incoming, as: digest, size: size)
            return (digest, size)
        } catch {
            Files.remove(incoming)
            throw error
        }
    }

    /// Takes in bytes that are in memory.
    @discardableResult
    public func insert(_ bytes: [UInt8]) throws -> Digest {
        try insert { put in try bytes.withUnsafeBytes { try put($0) } }.digest
    }

    /// Takes in a copy of a file whose digest is known; the copy is hashed, so wrong bytes never get in.
    public func insert(copyOf file: FilePath, as digest: Digest, size: Int64) throws {
        if contains(digest, size: size) { return }
        let batch = try ContentBatch(self)
        try batch.copy(ContentID(digest, size: size), from: file)
        try batch.place(isDurable: true)
    }

    private func place(_ incoming: FilePath, as digest: Digest, size: Int64) throws {
        let target = path(of: digest)
        guard !contains(digest, size: size) else { return Files.remove(incoming) }
        try makeDirectory(target.removingLastComponent())
        share(incoming, 0o060)
        try Files.rename(incoming, to: target)
        Files.flush(target.removingLastComponent())
    }

    /// Puts a copy of the content at a path of the work tree, replacing what is there in one step.
    public func checkOut(_ digest: Digest, size: Int64, to path: FilePath, executable: Bool) throws {
        guard contains(digest, size: size) else { throw StorageFailure.missing(digest, remote: root.string) }
        let temporary = Files.temporaryName(beside: path)
        try Files.makeDirectory(path.removingLastComponent())
        do {
            try Files.clone(self.path(of: digest), to: temporary)
            if executable { _ = temporary.withPlatformString { chmod($0, 0o755) } }
            try Files.rename(temporary, to: path)
        } catch {
            Files.remove(temporary)
            throw error
        }
    }
}

extension ContentStore {
    /// Gives the content a second name in the work tree, read-only; false where the file system has no links between the two.
    public func checkOutLink(_ digest: Digest, to path: FilePath) throws -> Bool {
        let source = self.path(of: digest)
        let temporary = Files.temporaryName(beside: path)
        try Files.makeDirectory(path.removingLastComponent())
        _ = source.withPlatformString { chmod($0, 0o444) }
        let status = source.withPlatformString { a in temporary.withPlatformString { b in link(a, b) } }
        guard status == 0 else { return false }
        // Where both names are one file already, rename does nothing and leaves the temporary one.
        try Files.rename(temporary, to: path)
        Files.remove(temporary)
        return true
    }

    /// The digests of all that is here.
    public func all() throws -> [Digest] {
        var found: [Digest] = []
        for a in try Files.list(root) where a.utf8.count == 2 && Hex.decode(a) != nil {
            for b in try Files.list(root.appending(a)) where b.utf8.count == 2 {
                for name in try Files.list(root.appending(a).appending(b)) where name.hasPrefix(a + b) {
                    if let digest = Digest(name) { found.append(digest) }
                }
            }
        }
        return found
    }
}

extension ContentStore {
    /// Whether content is here, as ``contains(_:size:)``; what is here counts as new from now on, so that a prune that runs
    /// beside leaves it alone.
    public func keeps(_ digest: Digest, size: Int64) -> Bool {
        guard contains(digest, size: size) else { return false }
        _ = path(of: digest).withPlatformString { utimensat(AT_FDCWD, $0, nil, 0) }
        return contains(digest, size: size)
    }

    /// Takes content out if it is older than a time; false when it is not, or is not here.
    public func remove(_ digest: Digest, ifOlderThan time: Timestamp) -> Bool {
        let file = path(of: digest)
        guard let status = Files.status(file), status.modified < time else { return false }
        Files.remove(file)
        return true
    }

    /// Whether the bytes are what their name says; nil when there are none.
    public func isWhole(_ digest: Digest) throws -> Bool? {
        let file = path(of: digest)
        guard Files.exists(file) else { return nil }
        return try Digest.of(file: file).digest == digest
    }

    /// Puts damaged content aside, in `bad` beside the store, and returns where it lies now.
    public func quarantine(_ digest: Digest) throws -> FilePath {
        let target = root.removingLastComponent().appending("bad").appending(digest.hex)
        try makeDirectory(target.removingLastComponent())
        try Files.rename(path(of: digest), to: target)
        return target
    }
}
