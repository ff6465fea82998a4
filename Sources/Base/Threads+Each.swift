internal import Synchronization

extension Threads {
    /// How many threads a piece of work that fills a core is spread over.
    public static var cores: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// Calls `body` for 0 ..< `count` on all cores, by threads of our own, and returns when all are done.
    ///
    /// After the first error no new ones are begun; it is thrown when those that run have ended.
    public static func each(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) async throws {
        if count == 0 { return }
        let width = min(cores, count)
        let progress = Each(width: width)
        let error: (any Error)? = await withCheckedContinuation { continuation in
            for _ in 0..<width {
                start {
                    while let i = progress.take(below: count) {
                        do { try body(i) } catch { progress.fail(error) }
                    }
                    if progress.leave() { continuation.resume(returning: progress.error) }
                }
            }
        }
        if let error { throw error }
    }

    private final class Each: Sendable {
        private struct State {
            var next = 0
            var running: Int
            var error: (any Error)?
        }
        private let state: Mutex<State>

        init(width: Int) { state = Mutex(State(running: width)) }

        var error: (any Error)? { state.withLock { $0.error } }

        func take(below count: Int) -> Int? {
            state.withLock { state in
                guard state.error == nil, state.next < count else { return nil }
                defer { state.next += 1 }
                return state.next
            }
        }

        func fail(_ error: any Error) { state.withLock { $0.error = $0.error ?? error } }

        /// Whether it was the last.
        func leave() -> Bool {
            state.withLock { state in
                state.running -= 1
                return state.running == 0
            }
        }
    }
}
