internal import ArgumentParser
internal import Base
internal import GitKit

extension Hook {
    /// Brings the folders of datasets to what a merge or pull has made.
    struct PostMerge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "post-merge", abstract: "Take the folders of datasets along")

        @Argument(help: "1 for a merge that makes no commit (--squash).")
        var squash: String

        func run() async { await Hook.followMerge(isSquash: squash == "1") }
    }

    static func followMerge(isSquash: Bool) async {
        do {
            let repository = try Repository.current()
            guard let head = try repository.head() else { return }
            let old = try? repository.resolve("ORIG_HEAD")
            await DatasetFollow.run(repository, from: isSquash ? head : old, to: head, behind: isSquash)
        } catch {
            Terminal.error("git-ml: the folders of datasets stay as they are: \(error)")
        }
    }
}
