internal import Base
internal import Synchronization
public import SystemPackage

/// A remote that moves no more than so many bytes a second, all transfers of the process together.
///
/// A transfer that is ahead waits where it reports its progress, so it reads and sends nothing meanwhile.
public struct RateLimitedRemote: ObjectRemote {
    private let base: any ObjectRemote
    private let limit: Limit

    public init(_ base: any ObjectRemote, bytesPerSecond: Int64) {
        self.base = base
        limit = Limit(bytesPerSecond)
    }

    private final class Limit: Sendable {
        private let rate: Double
        /// When all that was moved should have been.
        private let due = Mutex(ContinuousClock.now)

        init(_ bytesPerSecond: Int64) { rate = Double(bytesPerSecond) }

        func pass(_ count: Int64) {
            guard count > 0 else { return }
            let wait = due.withLock { due in
                let now = ContinuousClock.now
                // A second of idleness is not saved up.
                due = max(due, now - .milliseconds(100)) + .seconds(Double(count) / rate)
                return due - now
            }
            if wait > .zero { usleep(UInt32(min(wait.inSeconds, 3600) * 1_000_000)) }
        }
    }

    public var address: String { base.address }
    public var width: Int { base.width }
    public var verifiesUploads: Bool { base.verifiesUploads }

    public func announce(_ contents: [ContentID]) { base.announce(contents) }

    public func check() async throws { try await base.check() }

    public func present(_ contents: [ContentID], for direction: TransferDirection) async throws -> Set<ContentID> {
        try await base.present(contents, for: direction)
    }

    public func upload(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        try await base.upload(content, from: file) { count in
            limit.pass(count)
            progress(count)
        }
    }

    public func download(
        _ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        try await base.download(content, to: file) { count in
            limit.pass(count)
            progress(count)
        }
    }
}
