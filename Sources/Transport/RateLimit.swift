internal import Base
internal import Synchronization

/// So many bytes a second for all transfers that share it.
public final class RateLimit: Sendable {
    /// What the requests of a task keep to.
    @TaskLocal public static var current: RateLimit?

    private let rate: Double
    /// When all that was moved should have been.
    private let due = Mutex(ContinuousClock.now)

    public init(bytesPerSecond: Int64) { rate = Double(bytesPerSecond) }

    /// Counts bytes that were moved, and waits until others may be.
    ///
    /// Not on the thread that moves the bytes of all HTTP requests: that one pauses the request and goes on with others.
    public func pass(_ count: Int64) {
        guard count > 0 else { return }
        due.withLock { due in
            // Idleness is not saved up.
            due = max(due, .now - .milliseconds(100)) + .seconds(Double(count) / rate)
        }
        if HTTPLoop.isCurrentThread { return }
        while let wait, wait > .zero { usleep(UInt32(min(wait.inSeconds, 60) * 1_000_000)) }
    }

    /// Waits until all that was moved has had its time.
    public func settle() async throws {
        while let wait { try await Task.sleep(for: wait) }
    }

    /// How long nothing more may be moved; nil when something may.
    var wait: Duration? {
        let wait = due.withLock { $0 } - .now
        return wait > .zero ? wait : nil
    }
}
