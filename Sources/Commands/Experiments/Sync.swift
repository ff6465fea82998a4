internal import ArgumentParser
internal import GitKit

struct Sync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Exchange recorded runs and deliveries with a remote",
        discussion: """
            git push and git fetch do this along the way; this command does only this.

              $ git ml sync
            """)

    @Argument(help: "The remote.")
    var remote = "origin"

    func run() async throws {
        let repository = try Repository.current()
        try await GitSettings(repository: repository).applyFetchOptions()
        let sent = try await NotesSync(repository).push(remote)
        print(sent ? "Sent what \(remote) lacked." : "\(remote) and this clone hold the same runs.")
    }
}
