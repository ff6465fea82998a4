public import Base
public import SystemPackage

/// Content under its SHA-256, laid out as git-lfs does: `<root>/ab/cd/abcd…`.
///
/// A file under its final name is always whole: content is written beside it, hashed on the way, flushed and renamed.
public struct ContentStore: Sendable {
    public let root: FilePath

    public init(_ root: FilePath) { self.root = root }

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
        let incoming = root.appending("incoming").appending("\(UUIDv7())")
        try Files.makeDirectory(incoming.removingLastComponent())
        do {
            try Files.clone(file, to: incoming)
            guard try Digest.of(file: incoming) == (digest, size) else {
                throw StorageFailure.damaged(digest, place: file.string)
            }
            try place(incoming, as: digest, size: size)
        } catch {
            Files.remove(incoming)
            throw error
        }
    }

    private func place(_ incoming: FilePath, as digest: Digest, size: Int64) throws {
        let target = path(of: digest)
        guard !contains(digest, size: size) else { return Files.remove(incoming) }
        try Files.makeDirectory(target.removingLastComponent())
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
