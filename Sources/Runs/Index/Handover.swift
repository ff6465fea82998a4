internal import Base

/// Hands values from one thread to another, a few at a time: a thread that is too fast waits.
final class Handover<Value: Sendable>: @unchecked Sendable {  // its fields are touched under the mutex only
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let limit: Int
    private var waiting: [Value] = []
    private var isFinished = false
    private var error: (any Error)?

    init(limit: Int) {
        self.limit = limit
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    private func locked<T>(_ body: () throws -> T) rethrows -> T {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
        }
        return try body()
    }

    /// Puts a value in; false when nobody wants any more.
    func put(_ value: Value) -> Bool {
        locked {
            while waiting.count >= limit, !isFinished { pthread_cond_wait(changed, mutex) }
            if isFinished { return false }
            waiting.append(value)
            return true
        }
    }

    /// Says that nothing more comes, or is wanted; with an error, that it went wrong.
    func finish(_ error: (any Error)? = nil) {
        locked {
            isFinished = true
            self.error = self.error ?? error
        }
    }

    /// Takes all values that wait, at least one; nil at the end.
    func take() throws -> [Value]? {
        try locked {
            while waiting.isEmpty, !isFinished { pthread_cond_wait(changed, mutex) }
            if waiting.isEmpty {
                if let error { throw error }
                return nil
            }
            defer { waiting = [] }
            return waiting
        }
    }
}
