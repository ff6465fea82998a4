public import Base
public import SystemPackage
public import Transport

/// Gets how many bytes more were hashed, brought or sent; less than nothing when some have to be moved again.
public typealias ByteProgress = @Sendable (Int64) -> Void

/// Who wants to know how far a transfer is.
public struct TransferReport: Sendable {
    /// Gets, once it is known, how many bytes are to be moved.
    public var total: @Sendable (Int64) -> Void = { _ in }
    /// Gets the bytes that have been moved since.
    public var moved: ByteProgress = { _ in }

    public init() {}
}

/// A place that images are read from.
public protocol ImageSource: Sendable {
    /// What the place calls itself, for messages.
    var address: String { get }
    /// The manifest with a digest, or else the one that the reference names.
    func manifest(_ digest: Digest?) async throws -> StoredManifest
    /// Brings a blob into a file, which then has exactly the bytes that the descriptor promises.
    func fetch(_ blob: Descriptor, to file: FilePath, progress: @escaping ByteProgress) async throws
    /// The manifests that name an image as their subject.
    func referrers(of image: Digest) async throws -> [Referrer]
}

extension ImageSource {
    /// A small blob's bytes.
    func read(_ blob: Descriptor) async throws -> [UInt8] {
        let file = FilePath(environmentValue("TMPDIR") ?? "/tmp").appending("git-ml-blob-\(UUIDv7())")
        defer { Files.remove(file) }
        try await fetch(blob, to: file) { _ in }
        return try Files.read(file) ?? []
    }
}

/// A place that images go to.
public protocol ImageDestination: Sendable {
    /// Whether its name leads to this very image already; false where that is not cheap to tell.
    func holds(_ manifest: Descriptor) async throws -> Bool
    /// Which of an image's blobs are not there yet.
    func lacking(_ image: Image) async throws -> Set<Digest>
    /// Stores what is lacking, what is to stand beside the image, and then, last of all, the name.
    ///
    /// - Returns: The blobs that had to be moved; a registry that had one in another repository moved nothing.
    func store(_ image: Image, _ report: TransferReport) async throws -> Set<Digest>
}

extension ImageDestination {
    public func holds(_ manifest: Descriptor) async throws -> Bool { false }
}

/// Where a blob's bytes are once somebody needs them.
public enum BlobContent: Sendable {
    case bytes([UInt8])
    case file(FilePath)
    case stream(any BodyStream)

    /// Gives all bytes in pieces of at most 1 MiB.
    func readPieces(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        switch self {
        case .bytes(let bytes): try bytes.withUnsafeBytes { try body($0) }
        case .file(let path): try Files.readPieces(of: path, body)
        case .stream(let stream):
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
            defer { buffer.deallocate() }
            var at: Int64 = 0
            while at < stream.size {
                let count = try stream.read(at: at, into: buffer)
                if count == 0 { return }
                at += Int64(count)
                try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }

    /// A part of it as the body of a request.
    func body(from: Int64, count: Int64) -> HTTPClient.Body {
        switch self {
        case .bytes(let bytes): .bytes(Array(bytes[Int(from)..<Int(from + count)]))
        case .file(let path): .range(path, from: from, count: count)
        case .stream(let stream): .stream(stream, from: from, count: count)
        }
    }
}

/// A blob of an image: what it is called, and a way to its bytes for whoever lacks them.
public struct ImageBlob: Sendable {
    public let descriptor: Descriptor
    /// A repository of a registry that has it already.
    let origin: RepositoryName?
    /// Makes the bytes available, which may mean to bring them from elsewhere.
    let open: @Sendable () async throws -> BlobContent

    init(_ bytes: [UInt8], mediaType: String) {
        descriptor = Descriptor(of: bytes, mediaType: mediaType)
        origin = nil
        open = { .bytes(bytes) }
    }

    init(
        _ descriptor: Descriptor, origin: RepositoryName? = nil,
        open: @escaping @Sendable () async throws -> BlobContent
    ) {
        self.descriptor = descriptor
        self.origin = origin
        self.open = open
    }

    /// Gives the bytes of its content to `body` and makes sure that they are the right ones.
    func check(
        _ content: BlobContent, progress: ByteProgress = { _ in }, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var hasher = Digest.Hasher()
        var size: Int64 = 0
        try content.readPieces { piece in
            hasher.update(piece)
            size += Int64(piece.count)
            try body(piece)
            progress(Int64(piece.count))
        }
        guard size == descriptor.size, hasher.finish() == descriptor.digest else {
            throw ImageFailure.malformed(
                place: "\(descriptor.digest)",
                reason: "its bytes are not those that were hashed before: a file behind it has changed")
        }
    }
}

extension ImageReference {
    /// A way to read the image.
    public func source(_ options: RegistryOptions) throws -> any ImageSource {
        switch self {
        case .registry(let name, let tag, let digest):
            RegistryImages(name, options).source(tag: tag, digest: digest)
        case .layout(let folder, let tag, let digest): LayoutSource(OCILayout(folder), tag: tag, digest: digest)
        case .archive(_, let file, let name, let tag): try ArchiveSource(file, name: name, tag: tag)
        }
    }

    /// A way to put an image there; throws where the reference is a digest, which cannot be chosen.
    public func destination(_ options: RegistryOptions) throws -> any ImageDestination {
        guard digest == nil else {
            throw ImageFailure.unsupported("an image cannot be put at \(self): its digest is what it comes out as")
        }
        return switch self {
        case .registry(let name, let tag, _): RegistryImages(name, options).destination(tag: tag ?? "latest")
        case .layout(let folder, let tag, _): LayoutDestination(OCILayout(folder), tag: tag ?? "latest")
        case .archive(let form, let file, let name, let tag):
            ArchiveDestination(form: form, file: file, name: name, tag: tag ?? "latest")
        }
    }
}
