internal import Base
internal import NIOCore
internal import Synchronization

/// What was answered to requests whose answer may have been lost.
///
/// MLflow's clients send a request again, on a new connection, when the old one broke before they heard the answer: then
/// the first answer is given once more, and nothing is done twice. A request is such a repetition when it is the same to
/// the byte, comes within ``patience`` from a client that repeats, and the connection of the first is closed without a
/// further request on it. So two clients that ask the same at the same time are two.
final class Replies: Sendable {
    /// MLflow's client waits up to 128 s before its last try, and as long for an answer.
    static let patience: Duration = .seconds(300)
    /// How often it is looked whether a connection has closed, or a first request is done: 20 ms between.
    private static let looks = 10
    private static let most = 1024

    /// A connection of a client.
    struct Peer: Sendable {
        let id: ObjectIdentifier
        let isOpen: @Sendable () -> Bool

        init(_ channel: any Channel) {
            id = ObjectIdentifier(channel)
            isOpen = { channel.isActive }
        }

        init(id: ObjectIdentifier, isOpen: @escaping @Sendable () -> Bool) {
            self.id = id
            self.isOpen = isOpen
        }
    }

    fileprivate struct Reply {
        let request: Digest
        let peer: Peer
        /// Nil while it is being worked on.
        var answer: Answer?
        let since: ContinuousClock.Instant
    }

    /// By connection: the last request on it.
    private let replies = Mutex<[ObjectIdentifier: Reply]>([:])

    /// Whether doing it twice is more than doing it once.
    static func covers(_ call: Call) -> Bool {
        call.method == "POST"
            && [
                "runs/create", "runs/log-metric", "runs/log-batch", "model-versions/create", "logged-models",
            ].contains(call.path)
    }

    /// A further request on a connection shows that the answer before has arrived.
    func heard(_ peer: Peer) { replies.withLock { $0[peer.id] = nil } }

    /// Answers a request, or says again what was answered to it.
    func answer(
        _ request: Digest, from peer: Peer, _ body: @Sendable () async throws -> Answer
    ) async throws -> Answer {
        var looks = 0
        while let first = first(request, besides: peer) {
            if !first.peer.isOpen() {
                if let answer = first.answer {
                    replies.withLock { replies in
                        replies[first.peer.id] = nil
                        replies[peer.id] = Reply(request: request, peer: peer, answer: answer, since: first.since)
                    }
                    return answer
                }
            } else {
                // The news that a connection has broken may come after the next one.
                looks += 1
                if looks > Self.looks { break }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        replies.withLock { replies in
            if replies.count >= Self.most { replies = replies.filter { $0.value.isFresh } }
            if replies.count < Self.most {
                replies[peer.id] = Reply(request: request, peer: peer, answer: nil, since: .now)
            }
        }
        do {
            let answer = try await body()
            replies.withLock { $0[peer.id]?.answer = answer }
            return answer
        } catch {
            heard(peer)
            throw error
        }
    }

    private func first(_ request: Digest, besides peer: Peer) -> Reply? {
        replies.withLock { $0.values.first { $0.request == request && $0.peer.id != peer.id && $0.isFresh } }
    }
}

extension Replies.Reply {
    fileprivate var isFresh: Bool { ContinuousClock.now - since < Replies.patience }
}
