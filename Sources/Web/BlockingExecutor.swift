internal import NIOPosix

/// Runs tasks that wait for the disk, on threads of their own: Swift's own pool has one thread a core.
final class BlockingExecutor: TaskExecutor {
    static let shared = BlockingExecutor()

    private let pool: NIOThreadPool

    private init() {
        pool = NIOThreadPool(numberOfThreads: 16)
        pool.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pool.submit { _ in job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
