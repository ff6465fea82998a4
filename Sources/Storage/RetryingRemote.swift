internal import Base
internal import Synchronization
public import SystemPackage

/// A remote whose passing failures are met by trying again.
public struct RetryingRemote: ObjectRemote {
    public let base: any ObjectRemote
    private let retry: Retry

    /// A remote that tries again already is not wrapped twice.
    public init(_ base: any ObjectRemote, _ retry: Retry = Retry()) {
        self.base = (base as? RetryingRemote)?.base ?? base
        self.retry = (base as? RetryingRemote)?.retry ?? retry
    }

    public var address: String { base.address }
    public var width: Int { base.width }
    public var verifiesUploads: Bool { base.verifiesUploads }
    public var localStore: ContentStore? { base.localStore }

    public func announce(_ contents: [ContentID]) { base.announce(contents) }

    public func check() async throws {
        try await retry.run { _ in try await base.check() }
    }

    public func present(_ contents: [ContentID], for direction: TransferDirection) async throws -> Set<ContentID> {
        try await retry.run { _ in try await base.present(contents, for: direction) }
    }

    public func size(of content: ContentID) async throws -> Int64? {
        try await retry.run { _ in try await base.size(of: content) }
    }

    public func bytes(of content: ContentID, _ range: Range<Int64>) async throws -> [UInt8]? {
        try await retry.run { _ in try await base.bytes(of: content, range) }
    }

    public func upload(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        try await retry.run { _ in
            let sent = Mutex<Int64>(0)
            do {
                try await base.upload(content, from: file) { count in
                    sent.withLock { $0 += count }
                    progress(count)
                }
            } catch {
                progress(-sent.withLock { $0 })
                throw error
            }
        }
    }

    public func download(
        _ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        try await retry.run { gotFurther in
            let before = Files.status(file)?.size ?? 0
            do {
                try await base.download(content, to: file, progress: progress)
            } catch {
                if (Files.status(file)?.size ?? 0) > before { gotFurther() }
                throw error
            }
        }
    }
}
