internal import Base
internal import Synchronization

/// A few sftp conversations with one account, opened when they are needed and kept for the next who asks.
final class SFTPSessions: Sendable {
    private struct State {
        var idle: [SFTPSession] = []
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let account: SSHAccount
    private let ssh: SSHCommand
    private let state: Mutex<State>

    /// `limit` stays below the ten at which sshd begins to turn new connections away (`MaxStartups`).
    init(_ account: SSHAccount, _ ssh: SSHCommand, limit: Int) {
        self.account = account
        self.ssh = ssh
        state = Mutex(State(free: limit))
    }

    /// Runs `body` with a conversation of its own, on a thread of its own.
    func with<T: Sendable>(_ body: @escaping @Sendable (SFTPSession) throws -> T) async throws -> T {
        await enter()
        defer { leave() }
        let result: Result<T, any Error> = await withCheckedContinuation { continuation in
            Threads.start { continuation.resume(returning: Result { try self.run(body) }) }
        }
        return try result.get()
    }

    private func run<T>(_ body: (SFTPSession) throws -> T) throws -> T {
        let session = try state.withLock { $0.idle.popLast() } ?? SFTPSession(account, ssh)
        do {
            let value = try body(session)
            state.withLock { $0.idle.append(session) }
            return value
        } catch let refusal as SFTPSession.Refusal {
            // The conversation itself goes on.
            state.withLock { $0.idle.append(session) }
            throw refusal
        }
    }

    private func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.waiting.isEmpty {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
