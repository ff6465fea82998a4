internal import Base

/// A lock with a condition, for a few threads that wait for one another.
final class Gate: @unchecked Sendable {
    // Both are touched by pthread calls only, which is what they are for.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func with<T>(_ body: () throws -> T) rethrows -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Waits, inside ``with(_:)``, until somebody wakes.
    func wait() { pthread_cond_wait(condition, mutex) }

    func wake() { pthread_cond_broadcast(condition) }
}

/// Threads that work through one job together.
enum Workers {
    /// As many as there are processors, at most 8.
    static var count: Int { max(2, min(8, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))) }

    private final class State: @unchecked Sendable {
        // Guarded by `gate`.
        var running = 0
        var failure: (any Error)?
        let gate = Gate()
    }

    /// Runs `body` on `count` threads, one of them this one, and throws what the first threw that failed.
    static func run(_ count: Int = Workers.count, _ body: @escaping @Sendable (Int) throws -> Void) throws {
        let state = State()
        state.running = count
        let one: @Sendable (Int) -> Void = { i in
            var failure: (any Error)?
            do { try body(i) } catch { failure = error }
            state.gate.with {
                if let failure, state.failure == nil || state.failure is CancellationError { state.failure = failure }
                state.running -= 1
                state.gate.wake()
            }
        }
        for i in 1..<max(1, count) { Threads.start { one(i) } }
        one(0)
        state.gate.with { while state.running > 0 { state.gate.wait() } }
        if let failure = state.failure { throw failure }
    }
}

/// Lets threads pass one after the other, in the order of their numbers.
final class Turnstile: @unchecked Sendable {
    // Guarded by `gate`.
    private var turn = 0
    private var taken = 0
    private var isBroken = false
    private let gate = Gate()

    /// The next number below `end`; nil when there is none, or another thread has failed.
    func take(below end: Int) -> Int? {
        gate.with {
            guard !isBroken, taken < end else { return nil }
            taken += 1
            return taken - 1
        }
    }

    /// Runs `body` when all smaller numbers have passed.
    func pass(_ number: Int, _ body: () throws -> Void) throws {
        try gate.with {
            while turn != number, !isBroken { gate.wait() }
            if isBroken { throw CancellationError() }
        }
        try body()
        gate.with {
            turn += 1
            gate.wake()
        }
    }

    /// Ends the waiting of all others.
    func breakOff() {
        gate.with {
            isBroken = true
            gate.wake()
        }
    }
}
