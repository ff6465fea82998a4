internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Runs
internal import Storage

extension Hook {
    /// Sends the bytes, then our refs; git pushes the user's refs afterwards.
    struct PrePush: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "pre-push", abstract: "Send data and runs")

        @Argument(help: "The remote's name.")
        var remote: String

        @Argument(help: "Its address.")
        var address: String

        func run() async throws {
            let repository = try Repository.current()
            var new: [ObjectID] = []
            var old: [ObjectID] = []
            var updates: [RefUpdate] = []
            var gone: Set<String> = []
            var branch: String?
            while let line = readLine() {
                let words = line.split(separator: " ")
                guard words.count == 4 else { continue }
                updates.append(
                    RefUpdate(String(words[2]), from: Hook.present(words[3]), to: Hook.present(words[1])))
                if let id = Hook.present(words[1]) {
                    new.append(id)
                    branch = branch ?? String(words[2])
                } else if words[2].hasPrefix("refs/heads/") {
                    gone.insert(String(words[2]))
                    gone.insert("refs/remotes/\(remote)/" + words[2].dropFirst("refs/heads/".count))
                }
                if let id = Hook.present(words[3]) { old.append(id) }
            }
            try await PushedTags(repository, remote: remote).check(updates)
            // Nothing of the user's own may be new, and runs be waiting all the same.
            if !new.isEmpty {
                old += try repository.refs(below: "refs/remotes/\(remote)/").map(\.target)
                try await sendData(repository, new: new, old: old, branch: branch)
            }
            await sendRecords(repository, gone: gone)
        }

        /// A failure here stops the push before any ref moves.
        private func sendData(_ repository: Repository, new: [ObjectID], old: [ObjectID], branch: String?) async throws
        {
            let commits = new.compactMap { try? repository.resolve($0.hex) }
            let pointers = try PointerScan(repository).pointers(new: commits, old: old)
            let datasets = try DatasetScan(repository).pointers(new: commits, old: old)
            let project = (try? Project.inWorkTree(of: repository)) ?? Project()
            let remote = try repository.remotes().contains(remote) ? remote : address
            try await LockCheck(repository, remote: remote, branch: branch).run(
                new: commits, old: old, carriesData: !pointers.isEmpty && project.data.isAtGitRemote
            ) { Terminal.error("git-ml: \($0)") }
            if pointers.isEmpty, datasets.isEmpty { return }
            let data = try project.data.objectRemote(of: repository, gitRemote: remote, ref: branch)
            let bar = ProgressBar("git-ml: sending")
            defer { bar.finish() }
            var sent = try await DatasetTransfer(repository, remote: data) {
                bar.advance(by: $0, of: $1)
            }.push(datasets)
            sent += try await DataTransfer(repository, store: repository.contentStore, remote: data) {
                bar.advance(by: $0, of: $1)
            }.push(new: commits, old: old)
            bar.finish()
            if !sent.isEmpty {
                let bytes = sent.reduce(0) { $0 + $1.size }
                Terminal.error("git-ml: sent \(sent.count) object(s), \(ByteCount.format(bytes)), to \(data.address)")
            }
        }

        /// A failure here leaves the user's own push alone: the records are sent with the next one.
        private func sendRecords(_ repository: Repository, gone: Set<String>) async {
            do {
                // A remote that came after `init` gets its fetch options here; a push to a bare address has none.
                guard try repository.remotes().contains(remote) else { return }
                let exchange = Exchange(repository, remote: remote)
                try exchange.fold()
                try await exchange.run(gone: gone) { Terminal.error("git-ml: \($0)") }
            } catch {
                Terminal.error("git-ml: the recorded runs were not sent (they stay here): \(error)")
                for hint in (error as? any Failure)?.hints ?? [] { Terminal.error("git-ml: \(hint)") }
            }
        }
    }
}
