/// SHA-256 on a thread of its own, while the caller reads and writes.
///
/// Buffers of 1 MiB go round: ``next()`` hands out one that has been hashed, ``submit(_:)`` gives it back filled. The caller may
/// go on reading a submitted buffer until it asks for the next. One thread at a time may use a value.
// One caller; what both threads touch is in `State`, under its lock.
public final class HashingThread: @unchecked Sendable {
    public static let bufferSize = 1 << 20
    private static let bufferCount = 4

    private let state = State()
    private var position = 0

    public init() {
        let state = state
        Threads.start { state.hash() }
    }

    deinit { state.end() }

    /// The next free buffer; waits until its last content has been hashed.
    public func next() -> UnsafeMutableRawBufferPointer {
        state.wait { position - $0.hashed < Self.bufferCount }
        return state.buffers[position % Self.bufferCount]
    }

    /// Hashes the first bytes of the buffer that ``next()`` has handed out.
    public func submit(_ count: Int) {
        state.counts[position % Self.bufferCount] = count
        position += 1
        state.change { $0.filled = position }
    }

    /// Waits for the rest and answers the digest.
    public func finish() -> Digest {
        state.wait { $0.hashed == position }
        return state.digest()
    }

    private struct Progress {
        var filled = 0
        var hashed = 0
        var isEnded = false
    }

    // `progress` under the mutex; a buffer belongs to one side at a time.
    private final class State: @unchecked Sendable {
        let buffers: [UnsafeMutableRawBufferPointer]
        var counts = [Int](repeating: 0, count: HashingThread.bufferCount)
        private var hasher = Digest.Hasher()
        private var progress = Progress()
        private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

        init() {
            buffers = (0..<HashingThread.bufferCount).map { _ in
                .allocate(byteCount: HashingThread.bufferSize, alignment: 4096)
            }
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(changed, nil)
        }

        deinit {
            for buffer in buffers { buffer.deallocate() }
            pthread_cond_destroy(changed)
            pthread_mutex_destroy(mutex)
            changed.deallocate()
            mutex.deallocate()
        }

        func wait(_ isReached: (Progress) -> Bool) {
            pthread_mutex_lock(mutex)
            while !isReached(progress) { pthread_cond_wait(changed, mutex) }
            pthread_mutex_unlock(mutex)
        }

        func change(_ body: (inout Progress) -> Void) {
            pthread_mutex_lock(mutex)
            body(&progress)
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
        }

        func end() { change { $0.isEnded = true } }

        func digest() -> Digest { hasher.finish() }

        /// What the thread does.
        func hash() {
            var done = 0
            while true {
                var isEnded = false
                wait {
                    isEnded = $0.isEnded
                    return $0.filled > done || $0.isEnded
                }
                if isEnded { return }
                let slot = done % HashingThread.bufferCount
                hasher.update(UnsafeRawBufferPointer(rebasing: buffers[slot][..<counts[slot]]))
                done += 1
                change { $0.hashed = done }
            }
        }
    }
}
