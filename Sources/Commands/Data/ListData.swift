internal import ArgumentParser
internal import Pointers

struct ListData: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List the data of another repository",
        discussion: """
              $ git ml ls https://github.com/acme/churn data --rev v1.2
            """)

    @Argument(help: "The other repository: any address that git takes.")
    var url: String

    @Argument(help: "A file or folder in it.")
    var path: String?

    @OptionGroup var revision: RevisionOption
    @OptionGroup var json: JSONOption

    func run() async throws {
        try await ListRemote(url: url, path: path, revision: revision.rev, json: json.isOn).run()
    }
}
