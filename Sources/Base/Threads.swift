internal import Synchronization

/// Threads of our own, for C calls that wait.
public enum Threads {
    private final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Runs `body` on a new thread; on this one when there can be no other.
    public static func start(_ body: @escaping @Sendable () -> Void) {
        if let thread = make(body) { pthread_detach(thread) } else { body() }
    }

    private static func make(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
        var thread = pthread_t()
        let work = Unmanaged.passRetained(Work(body))
        let code = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            }, work.toOpaque())
        if code == 0 { return thread }
        work.release()
        return nil
    }

    /// Calls `body` with every number below `count`, on up to `width` threads at once, and returns when all are done.
    ///
    /// The first error is thrown at the end; numbers that were not begun by then are left out.
    public static func forEach(_ count: Int, width: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
        let state = Numbers(count: count)
        let run: @Sendable () -> Void = {
            while let number = state.next() {
                do { try body(number) } catch { state.fail(error) }
            }
        }
        let threads = (1..<max(1, min(width, count))).compactMap { _ in make(run) }
        run()
        for thread in threads { pthread_join(thread, nil) }
        if let error = state.error { throw error }
    }

    /// Hands out numbers until there are no more, or something has failed.
    private final class Numbers: Sendable {
        private let state: Mutex<(next: Int, error: (any Error)?)>
        private let count: Int

        init(count: Int) {
            self.count = count
            state = Mutex((0, nil))
        }

        var error: (any Error)? { state.withLock { $0.error } }

        func next() -> Int? {
            state.withLock { state in
                guard state.error == nil, state.next < count else { return nil }
                defer { state.next += 1 }
                return state.next
            }
        }

        func fail(_ error: any Error) { state.withLock { if $0.error == nil { $0.error = error } } }
    }
}

extension Threads {
    /// What `body` returns or throws, computed on a thread of its own while the task waits.
    public static func result<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        let result: Result<T, any Error> = await withCheckedContinuation { continuation in
            start { continuation.resume(returning: Result { try body() }) }
        }
        return try result.get()
    }
}
