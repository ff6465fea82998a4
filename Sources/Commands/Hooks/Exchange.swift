internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Runs
internal import Storage

/// One exchange of recorded runs with a remote: content, then the refs; by the pre-push hook or by hand.
struct Exchange {
    private let repository: Repository
    private let remote: String

    init(_ repository: Repository, remote: String) {
        self.repository = repository
        self.remote = remote
    }

    /// Takes in what waits in the journal.
    func fold() throws {
        do {
            try RunLog(repository).fold()
        } catch {
            throw Context("what waits in the journal could not be recorded", cause: error)
        }
    }

    /// Sends and fetches; returns whether the remote lacked anything.
    ///
    /// `gone` are branches that are about to be deleted.
    @discardableResult
    func run(gone: Set<String> = [], say: (String) -> Void) async throws -> Bool {
        try await GitSettings(repository: repository).applyFetchOptions()
        let sync = NotesSync(repository)
        try await sync.dropGoneRemotes()
        try await sendContent(say)
        try await KeptCommits(repository).keepUnreachable(gone: gone)
        let sent = try await withDeadline { [remote] in try await sync.push(remote) }
        return sent
    }

    /// Content that no pointer names goes before the lines that name it.
    private func sendContent(_ say: (String) -> Void) async throws {
        let kept = KeptObjects(repository)
        let waiting = try kept.waiting()
        if waiting.isEmpty { return }
        do {
            let project = (try? Project.inWorkTree(of: repository)) ?? Project()
            let sent = try await kept.send(to: DataRemote(repository, project: project).resolve(remote))
            if !sent.isEmpty {
                say("sent \(sent.count) curve(s) and log(s), \(ByteCount.format(sent.reduce(0) { $0 + $1.size }))")
            }
        } catch {
            say("\(waiting.count) curve(s) and log(s) of runs stay here for now: \(error)")
        }
    }

    /// Gives up after ``NotesSync/patience`` and a little: a host that does not answer must not hold a push up.
    private func withDeadline<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async throws -> T {
        try await withThrowingTaskGroup(of: T.self) { [remote] group in
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: NotesSync.patience + .seconds(2))
                throw NoAnswer(remote: remote)
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }
}

/// A remote that said nothing for too long.
struct NoAnswer: Failure {
    let remote: String
    var kind: FailureKind { .remote }
    var description: String { "\(remote) did not answer in time" }
    var hints: [String] {
        ["nothing is lost: the runs stay in this clone, and the next push or `git ml sync` sends them"]
    }
}
