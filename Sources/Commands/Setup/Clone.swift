internal import ArgumentParser
internal import Base
internal import GitKit
internal import SystemPackage

struct Clone: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Clone a repository with its runs and data",
        discussion: """
            The same as `git clone` and then `git ml init`.

              $ git ml clone ../churn.git
            """)

    @Argument(help: "What to clone: any address that git takes.")
    var url: String

    @Argument(help: "The new folder.")
    var directory: String?

    func run() async throws {
        let name = url.split { $0 == "/" || $0 == ":" }.last.map(String.init) ?? url
        let folder = directory ?? (name.hasSuffix(".git") ? String(name.dropLast(4)) : name)
        let here = Git(in: ".", environment: ["GIT_LFS_SKIP_SMUDGE": "1"])
        try await here.run(["clone", "--quiet", "--end-of-options", url, folder])
        print("cloned into \(folder)")
        try await Setup(Repository(FilePath(folder))).run { print($0) }
    }
}
