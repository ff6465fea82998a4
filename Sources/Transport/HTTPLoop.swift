internal import Base
internal import CurlShim
internal import Synchronization

/// The one thread on which libcurl moves the bytes of all requests, over connections that stay open between them.
final class HTTPLoop: Sendable {
    static let shared = HTTPLoop()

    private struct Mail {
        var new: [HTTPExchange] = []
        var cancelled: [HTTPExchange] = []
    }

    /// Only the loop's thread uses it, except for `curlshim_wake`, which any thread may call.
    private nonisolated(unsafe) let session: OpaquePointer?
    private let mail = Mutex(Mail())
    private let thread = Mutex<pthread_t?>(nil)

    /// Whether this is the thread of the loop, which must never wait for one request.
    static var isCurrentThread: Bool {
        shared.thread.withLock { $0.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    private init() {
        session = curlshim_open()
        if session != nil { Threads.start { self.run() } }
    }

    /// Sends one request and waits for its end, or for the task to be cancelled.
    func perform(_ exchange: HTTPExchange) async throws -> HTTPResponse {
        guard session != nil else {
            throw TransportFailure(exchange.request.method, exchange.request.url, "libcurl cannot be opened", .local)
        }
        return try await withTaskCancellationHandler {
            try await withCheckedContinuation { continuation in
                exchange.wait(continuation)
                // A cancellation from here on finds the exchange in the mail; one before is seen under the same lock.
                let isCancelled = mail.withLock { mail in
                    if Task.isCancelled { return true }
                    mail.new.append(exchange)
                    return false
                }
                if isCancelled { exchange.finish(.failure(CancellationError())) } else { curlshim_wake(session) }
            }.get()
        } onCancel: {
            mail.withLock { $0.cancelled.append(exchange) }
            curlshim_wake(session)
        }
    }

    private func run() {
        guard let session else { return }
        thread.withLock { $0 = pthread_self() }
        var underWay: [ObjectIdentifier: HTTPExchange] = [:]
        while true {
            let (new, cancelled) = mail.withLock { mail in
                defer { mail = Mail() }
                return (mail.new, mail.cancelled)
            }
            for exchange in new where exchange.begin(session) { underWay[ObjectIdentifier(exchange)] = exchange }
            for exchange in cancelled {
                underWay.removeValue(forKey: ObjectIdentifier(exchange))?.cancel(session)
            }
            var patience = Duration.seconds(underWay.isEmpty ? 60 : 1)
            for exchange in underWay.values {
                exchange.resume()
                if let wait = exchange.wait { patience = min(patience, wait + .milliseconds(1)) }
            }
            let running = curlshim_turn(session, Int32(patience.inSeconds * 1000))
            if running < underWay.count { underWay = underWay.filter { $0.value.handle != nil } }
        }
    }
}
