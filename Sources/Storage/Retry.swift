internal import Base

/// How often and after how long a failed request is tried again: exponential, with jitter, and bounded.
public struct Retry: Sendable {
    /// The tries that may follow one another without a byte being moved.
    public var attempts = 6
    /// The same where there is no connection at all: an address with a mistake in it is not tried for long.
    public var attemptsToConnect = 3
    /// The wait before the second try; it doubles with each further one.
    public var base = Duration.milliseconds(500)
    public var longest = Duration.seconds(30)
    /// A server that asks for more patience than this gets an error at once.
    public var longestRetryAfter = Duration.seconds(120)

    public init() {}

    /// One try, no waiting.
    public static let never: Retry = {
        var retry = Retry()
        retry.attempts = 1
        return retry
    }()

    /// Runs `body` until it succeeds, fails for good, or has failed too often; it says itself whether it got further.
    public func run<T>(_ body: (_ gotFurther: () -> Void) async throws -> T) async throws -> T {
        var failures = 0
        while true {
            do {
                return try await body { failures = 0 }
            } catch let failure as RemoteFailure where failure.retryable {
                failures += 1
                let most = failure.reason == .unreachable ? min(attempts, attemptsToConnect) : attempts
                guard failures < most, let wait = wait(failures, failure.retryAfter) else { throw failure }
                try await Task.sleep(for: wait)
            }
        }
    }

    /// How long to wait after so many failures; nil: not at all any more.
    func wait(_ failures: Int, _ asked: Duration?) -> Duration? {
        if let asked, asked > longestRetryAfter { return nil }
        let full = min(longest, base * (1 << min(failures - 1, 16)))
        let jittered = full * Double.random(in: 0.5...1)
        return max(jittered, asked.map { $0 + full * Double.random(in: 0...0.25) } ?? .zero)
    }
}
