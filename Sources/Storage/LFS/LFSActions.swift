internal import Base
internal import Synchronization

/// What an LFS server has laid out for contents, asked for in batches.
///
/// Those who ask for one content at a time at the same moment are answered by one request.
final class LFSActions: Sendable {
    private typealias Waiter = CheckedContinuation<Result<LFSBatch.Answer, any Error>, Never>

    private struct State {
        var known: [ContentID: [String: LFSAction]] = [:]
        var waiting: [ContentID: [Waiter]] = [:]
        /// What has been asked for and is not answered yet, with those who have come since.
        var asking: [ContentID: [Waiter]] = [:]
        /// What is going to be asked for, the next one last.
        var announced: [ContentID] = []

        /// Those that wait, and as many of the next ones as fit into the same batch.
        mutating func takeBatch() -> [ContentID] {
            defer { waiting = [:] }
            var contents = Array(waiting.keys)
            let rest = (LFSBatch.limit - contents.count % LFSBatch.limit) % LFSBatch.limit
            var others = 0
            while others < rest, let next = announced.popLast() {
                guard waiting[next] == nil, asking[next] == nil, known[next] == nil else { continue }
                contents.append(next)
                others += 1
            }
            for content in contents { asking[content] = waiting[content] ?? [] }
            return contents
        }
    }

    private static let batchesAtOnce = 4

    private let client: LFSClient
    private let direction: TransferDirection
    private let state = Mutex(State())

    /// `direction` is what is asked for; that of the client says which server.
    init(_ client: LFSClient, _ direction: TransferDirection) {
        self.client = client
        self.direction = direction
    }

    /// Asks for all of them now, and keeps the actions for ``answer(_:)``.
    func ask(_ contents: [ContentID]) async throws -> [ContentID: LFSBatch.Answer] {
        let contents = Array(Set(contents)).sorted { $0.digest < $1.digest }
        var answers: [ContentID: LFSBatch.Answer] = [:]
        try await withThrowingTaskGroup(of: [ContentID: LFSBatch.Answer].self) { group in
            var start = 0
            var running = 0
            while start < contents.count || running > 0 {
                if start < contents.count, running < Self.batchesAtOnce {
                    let piece = Array(contents[start..<min(start + LFSBatch.limit, contents.count)])
                    group.addTask { try await self.request(piece) }
                    (start, running) = (start + piece.count, running + 1)
                } else if let some = try await group.next() {
                    answers.merge(some) { $1 }
                    running -= 1
                }
            }
        }
        state.withLock { state in
            for case (let content, .actions(let actions)) in answers { state.known[content] = actions }
        }
        return answers
    }

    /// What to do with one content; from memory when it has been asked for and the answer still holds.
    func answer(_ content: ContentID) async throws -> LFSBatch.Answer {
        let known = state.withLock { $0.known[content] }
        if let known, !known.values.contains(where: { $0.isExpired() }) { return .actions(known) }
        let result: Result<LFSBatch.Answer, any Error> = await withCheckedContinuation { waiter in
            let isFirst = state.withLock { state in
                if state.asking[content] != nil {
                    state.asking[content]?.append(waiter)
                    return false
                }
                state.waiting[content, default: []].append(waiter)
                return state.waiting.count == 1 && state.waiting[content]?.count == 1
            }
            if isFirst { Task { await self.answerWaiting() } }
        }
        return try result.get()
    }

    /// Lets further contents come along with the next question.
    func announce(_ contents: [ContentID]) {
        let sorted = contents.sorted { $1.digest < $0.digest }
        state.withLock { $0.announced = sorted }
    }

    /// What was laid out for the content does not hold any more.
    func forget(_ content: ContentID) { state.withLock { $0.known[content] = nil } }

    private func answerWaiting() async {
        try? await Task.sleep(for: .milliseconds(2))
        let contents = state.withLock { $0.takeBatch() }
        let answers = await Task { try await ask(contents) }.result
        for content in contents {
            let waiters = state.withLock { $0.asking.removeValue(forKey: content) } ?? []
            let answer = answers.map { $0[content] ?? .failed(code: 0, message: "it says nothing of it") }
            for waiter in waiters { waiter.resume(returning: answer) }
        }
    }

    /// One request; one that is too large for the server is cut in two.
    ///
    /// giftless refuses the whole when it could give nothing of it: that is the answer for each, and where contents differ in why,
    /// they are asked for apart.
    private func request(_ contents: [ContentID]) async throws -> [ContentID: LFSBatch.Answer] {
        do {
            let body = LFSBatch.request(contents, direction, ref: client.context.ref)
            let json = try await client.call("POST", "/objects/batch", body)
            return try LFSBatch.parse(json, contents, base: try await client.base())
        } catch let refusal as LFSRefusal {
            let isOfObjects =
                direction == .download && [404, 422].contains(refusal.status)
                && refusal.message?.contains("requested objects") == true
            if isOfObjects, refusal.status == 404 || contents.count == 1 {
                let answer = LFSBatch.Answer.failed(code: refusal.status, message: refusal.message ?? "")
                return Dictionary(contents.map { ($0, answer) }) { $1 }
            }
            guard refusal.status == 413 || isOfObjects, contents.count > 1 else { throw refusal.failure }
            let half = contents.count / 2
            let first = try await request(Array(contents[..<half]))
            return try await first.merging(request(Array(contents[half...]))) { $1 }
        }
    }
}
