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
    struct PostCommit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "post-commit", abstract: "Record the new commit")

        func run() async {
            do {
                let repository = try Repository.current()
                // A rebase commits what was recorded before; `post-rewrite` carries the records over.
                guard !Hook.isRebasing(repository) else { return }
                let outcome = try CatchUp(repository, Hook.recorder(repository)).run(isHook: true)
                for warning in outcome.warnings { Terminal.error("git-ml: \(warning)") }
                await follow(repository)
            } catch {
                Terminal.error("git-ml: this commit's experiment was not recorded: \(error)")
            }
        }

        /// A merge with conflicts, a cherry-pick and a revert end here: no other hook is called for them.
        private func follow(_ repository: Repository) async {
            guard Files.exists(repository.gitDirectory.appending("ml").appending("datasets")),
                let head = try? repository.head(), let parent = try? repository.commit(head).parents.first
            else { return }
            await DatasetFollow.run(repository, from: parent, to: head)
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
