internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs
internal import SystemPackage

extension Hook {
    /// Records the new commit, and with it what an earlier hook has missed.
    ///
    /// The commit stands already: whatever goes wrong here is a warning.
    struct PostCommit: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "post-commit", abstract: "Record the new commit")

        func run() {
            do {
                let repository = try Repository.current()
                guard !isRebasing(repository) else { return }
                let outcome = try CatchUp(repository, Hook.recorder(repository)).run(isHook: true)
                for warning in outcome.warnings { Terminal.error("git-ml: \(warning)") }
            } catch {
                Terminal.error("git-ml: this commit's experiment was not recorded: \(error)")
            }
        }

        /// A rebase commits what was recorded before; `post-rewrite` carries the records over.
        private func isRebasing(_ repository: Repository) -> Bool {
            ["rebase-merge", "rebase-apply"].contains { Files.exists(repository.gitDirectory.appending($0)) }
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
