public import SystemPackage
internal import Transport

/// A remote that moves no more than so many bytes a second, all transfers of the process together.
///
/// A transfer that is ahead waits: one over HTTP is paused, another waits where it reports its progress.
public struct RateLimitedRemote: ObjectRemote {
    private let base: any ObjectRemote
    private let limit: RateLimit

    public init(_ base: any ObjectRemote, bytesPerSecond: Int64) {
        self.base = base
        limit = RateLimit(bytesPerSecond: bytesPerSecond)
    }

    public var address: String { base.address }
    public var width: Int { base.width }
    public var verifiesUploads: Bool { base.verifiesUploads }

    public func announce(_ contents: [ContentID]) { base.announce(contents) }

    public func check() async throws { try await base.check() }

    public func present(_ contents: [ContentID], for direction: TransferDirection) async throws -> Set<ContentID> {
        try await base.present(contents, for: direction)
    }

    public func size(of content: ContentID) async throws -> Int64? {
        try await base.size(of: content)
    }

    public func bytes(of content: ContentID, _ range: Range<Int64>) async throws -> [UInt8]? {
        let bytes = try await RateLimit.$current.withValue(limit) { try await base.bytes(of: content, range) }
        limit.pass(Int64(bytes?.count ?? 0))
        try await limit.settle()
        return bytes
    }

    public func upload(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        try await limited(progress) { try await base.upload(content, from: file, progress: $0) }
    }

    public func download(
        _ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        try await limited(progress) { try await base.download(content, to: file, progress: $0) }
    }

    private func limited(
        _ progress: @escaping @Sendable (Int64) -> Void,
        _ move: (@escaping @Sendable (Int64) -> Void) async throws -> Void
    ) async throws {
        try await RateLimit.$current.withValue(limit) {
            try await move { count in
                limit.pass(count)
                progress(count)
            }
        }
        try await limit.settle()
    }
}
