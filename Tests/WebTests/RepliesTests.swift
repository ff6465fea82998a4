import Base
import Synchronization
import Testing

@testable import Web

final class RepliesTests: Sendable {
    /// A connection that can be closed.
    private final class Wire: Sendable {
        private let open = Mutex(true)
        var peer: Replies.Peer { Replies.Peer(id: ObjectIdentifier(self)) { self.open.withLock { $0 } } }
        func close() { open.withLock { $0 = false } }
    }

    private let replies = Replies()
    private let count = Mutex(0)
    private let request = Digest.of("runs/create")

    /// Asks, and returns which time it was that it was done.
    private func ask(_ wire: Wire) async throws -> JSON {
        replies.heard(wire.peer)
        let answer = try await replies.answer(request, from: wire.peer) {
            .json(
                .int(
                    Int64(
                        count.withLock { count in
                            count += 1
                            return count
                        })))
        }
        guard case .json(let json) = answer else { return .null }
        return json
    }

    @Test func `the answer to a broken connection is given again, as often as it breaks`() async throws {
        let wires = [Wire(), Wire(), Wire()]
        for wire in wires {
            #expect(try await ask(wire) == 1)
            wire.close()
        }
    }

    @Test func `who has heard the answer asks for something new`() async throws {
        let (first, second) = (Wire(), Wire())
        #expect(try await ask(first) == 1)
        #expect(try await ask(first) == 2)
        replies.heard(first.peer)
        first.close()
        #expect(try await ask(second) == 3)
    }

    @Test func `two that are connected at the same time are two`() async throws {
        let (first, second) = (Wire(), Wire())
        #expect(try await ask(first) == 1)
        #expect(try await ask(second) == 2)
    }

    @Test func `a repetition waits for the first to be done`() async throws {
        let (first, second) = (Wire(), Wire())
        let (started, starting) = AsyncStream.makeStream(of: Void.self)
        let (allowed, allowing) = AsyncStream.makeStream(of: Void.self)
        let (replies, request) = (replies, request)
        let slow = Task {
            try await replies.answer(request, from: first.peer) {
                starting.yield()
                for await _ in allowed { break }
                return .text("slow")
            }
        }
        for await _ in started { break }
        first.close()
        let again = Task { try await replies.answer(request, from: second.peer) { .text("again") } }
        allowing.yield()
        for task in [slow, again] {
            let answer = try await task.value
            guard case .text(let text) = answer else {
                Issue.record("no text")
                return
            }
            #expect(text == "slow")
        }
    }

    @Test func `what failed is tried anew`() async throws {
        let (first, second) = (Wire(), Wire())
        await #expect(throws: MLflowFailure.self) {
            try await replies.answer(request, from: first.peer) { throw MLflowFailure(.internal, "disk") }
        }
        first.close()
        #expect(try await ask(second) == 1)
    }
}
