public import SystemPackage

/// A place that content is sent to, and another that it is brought from: `lfs.pushurl`, `remote.<name>.pushurl`.
public struct SplitRemote: ObjectRemote {
    private let downloads: any ObjectRemote
    private let uploads: any ObjectRemote

    public init(downloads: any ObjectRemote, uploads: any ObjectRemote) {
        self.downloads = downloads
        self.uploads = uploads
    }

    public var address: String { uploads.address }
    public var width: Int { min(downloads.width, uploads.width) }
    public var verifiesUploads: Bool { uploads.verifiesUploads }

    public func announce(_ contents: [ContentID]) { downloads.announce(contents) }

    public func check() async throws {
        try await downloads.check()
        try await uploads.check()
    }

    public func present(_ contents: [ContentID], for direction: TransferDirection) async throws -> Set<ContentID> {
        try await (direction == .upload ? uploads : downloads).present(contents, for: direction)
    }

    public func size(of content: ContentID) async throws -> Int64? { try await downloads.size(of: content) }

    public func bytes(of content: ContentID, _ range: Range<Int64>) async throws -> [UInt8]? {
        try await downloads.bytes(of: content, range)
    }

    public func upload(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        try await uploads.upload(content, from: file, progress: progress)
    }

    public func download(
        _ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        try await downloads.download(content, to: file, progress: progress)
    }
}
