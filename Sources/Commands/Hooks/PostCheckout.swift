internal import ArgumentParser
internal import Base
internal import GitKit
internal import SystemPackage

extension Hook {
    /// Brings the folders of datasets to the branch that has been checked out; files and clones are none of its business.
    struct PostCheckout: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "post-checkout", abstract: "Take the folders of datasets along")

        @Argument(help: "The commit before; zeros for none.")
        var old: String

        @Argument(help: "The commit now.")
        var new: String

        @Argument(help: "1 for a branch, 0 for files.")
        var flag: String

        func run() async { await Hook.follow(from: old, to: new, flag: flag) }
    }

    static func follow(from old: String, to new: String, flag: String) async {
        guard flag == "1", old != new, let commit = ObjectID(new) else { return }
        do {
            let repository = try Repository.current()
            if hasPicks(repository) { return }
            let isNone = old.allSatisfy { $0 == "0" }
            // Without a commit before this is a clone, whose data `init` brings, or a new work tree, where it is all here.
            if isNone, repository.gitDirectory == repository.commonDirectory { return }
            await DatasetFollow.run(repository, from: isNone ? nil : ObjectID(old), to: commit)
        } catch {
            Terminal.error("git-ml: the folders of datasets stay as they are: \(error)")
        }
    }

    /// Whether a rebase is going on that still has commits to make: `post-rewrite` follows at its end, and one that is
    /// given up leaves the folder where it was.
    private static func hasPicks(_ repository: Repository) -> Bool {
        let folder = repository.gitDirectory.appending("rebase-merge")
        guard Files.exists(folder) else { return Files.exists(repository.gitDirectory.appending("rebase-apply")) }
        guard let todo = try? Files.readText(folder.appending("git-rebase-todo")) else { return true }
        return todo.split(separator: "\n").contains { line in
            !["#", "noop", "drop ", "d "].contains { line.hasPrefix($0) }
        }
    }

    static func isRebasing(_ repository: Repository) -> Bool {
        ["rebase-merge", "rebase-apply"].contains { Files.exists(repository.gitDirectory.appending($0)) }
    }
}
