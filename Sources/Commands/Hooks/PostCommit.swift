internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs
internal import SystemPackage

extension Hook {
    /// Records the new commit.
    ///
    /// The commit stands already: whatever goes wrong here is a warning.
    struct PostCommit: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "post-commit", abstract: "Record the new commit")

        func run() {
            do {
                let repository = try Repository.current()
                guard !isRebasing(repository), let head = try repository.head() else { return }
                let recorder = Hook.recorder(repository)
                let outcome = try recorder.record(head, replacing: amended(repository, head))
                for warning in outcome.warnings { Terminal.error("git-ml: \(warning)") }
            } catch {
                Terminal.error("git-ml: this commit's experiment was not recorded: \(error)")
            }
        }

        /// A rebase commits what was recorded before; `post-rewrite` carries the records over.
        private func isRebasing(_ repository: Repository) -> Bool {
            ["rebase-merge", "rebase-apply"].contains { Files.exists(repository.gitDirectory.appending($0)) }
        }

        /// The commit that an amend has just put aside, read from the last line of HEAD's reflog.
        private func amended(_ repository: Repository, _ head: ObjectID) throws -> ObjectID? {
            let log = repository.gitDirectory.appending("logs").appending("HEAD")
            guard let last = try Files.readText(log)?.split(separator: "\n").last, last.contains("\tcommit (amend)")
            else { return nil }
            let ids = last.split(separator: " ").prefix(2).compactMap { ObjectID($0) }
            return ids.count == 2 && ids[1] == head ? ids[0] : nil
        }
    }

    /// The recorder for a repository; a bad `ml.yaml` is told of, and the defaults hold.
    static func recorder(_ repository: Repository) -> CommitRecorder {
        var project = Project()
        do {
            project = try Project.inWorkTree(of: repository)
        } catch {
            Terminal.error("git-ml: \(error); recording with the defaults")
        }
        return CommitRecorder(repository, settings: project.record, modelPaths: project.modelPaths)
    }
}
