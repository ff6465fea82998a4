internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs

extension Hook {
    /// On a server: lets our refs grow and nothing else, and takes no tag that policy forbids.
    ///
    /// What is pushed lies in quarantine meanwhile (`GIT_QUARANTINE_PATH`); libgit2 finds it by `GIT_OBJECT_DIRECTORY`. What
    /// is printed appears at the pusher behind `remote:`.
    struct PreReceive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pre-receive", abstract: "Refuse a push that would lose records, or that policy forbids")

        func run() async throws {
            let updates = Hook.updates()
            let repository = try Repository.current()
            var isRefused = false
            func refuse(_ what: String?, _ failure: any Failure) {
                isRefused = true
                let subject = what.map { " \(Terminal.safe($0))" } ?? ""
                Self.tell("refused\(subject): ", failure)
            }
            let notesGuard = NotesGuard(repository)
            for update in updates {
                do {
                    try notesGuard.check(update.ref, from: update.old, to: update.new)
                } catch let failure as any Failure {
                    refuse(nil, failure)
                }
            }
            let server = ServerPush(repository, updates)
            let (policy, unreadable) = server.policy()
            if let unreadable {
                let tag = updates.first { $0.isLikeModelTag && $0.new != nil && ModelTag($0.tag ?? "") != nil }
                if let tag {
                    refuse(tag.ref, unreadable)
                } else {
                    Self.tell("", unreadable)
                }
            }
            let tags = try await PushCheck(repository, policy: policy, isServer: true) { try Self.runs(repository) }
                .check(updates)
            let almost = tags.almost.map { "passed over \($0.ref): \($0.failure)" }
            for notice in almost + tags.notices + (try server.notices()) {
                Terminal.error("git-ml: \(Terminal.safe(notice))")
            }
            for (ref, failure) in tags.refused { refuse(ref, failure) }
            if !isRefused {
                do {
                    try await server.checkData(policy) { Terminal.error("git-ml: \(Terminal.safe($0))") }
                } catch let failure as any Failure {
                    refuse(nil, failure)
                }
            }
            if isRefused { throw ExitCode(1) }
        }

        private static func tell(_ start: String, _ failure: any Failure) {
            Terminal.error("git-ml: \(start)\(Terminal.safe("\(failure)"))")
            var cause = failure.cause
            while let next = cause {
                Terminal.error("git-ml: caused by: \(Terminal.safe("\(next)"))")
                cause = (next as? any Failure)?.cause
            }
            for hint in failure.hints { Terminal.error("git-ml: \(Terminal.safe(hint))") }
        }

        /// Whatever the store has to write is written before, outside of the quarantine, which goes when the push is refused.
        private static func runs(_ repository: Repository) throws -> RunStore {
            _ = try RunStore(Repository(repository.commonDirectory))
            return try RunStore(repository)
        }
    }

    /// The lines that git gives pre-receive: what a ref held, what it is to hold, its name.
    static func updates() -> [RefUpdate] {
        var updates: [RefUpdate] = []
        while let line = readLine() {
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count == 3 else { continue }
            updates.append(RefUpdate(String(words[2]), from: present(words[0]), to: present(words[1])))
        }
        return updates
    }

    /// An object id; nil for the zeros that stand for “not there”.
    static func present(_ word: Substring) -> ObjectID? {
        ObjectID(word).flatMap { $0.hex.contains { $0 != "0" } ? $0 : nil }
    }
}
