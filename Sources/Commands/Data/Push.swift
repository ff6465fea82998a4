internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import Storage

struct Push: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send content to the data remote",
        discussion: """
            `git push` does it by itself. By hand: what the current branch names and the remote's branches do not, with --all
            what all branches and tags name, whatever the remote is believed to have.

              $ git ml push
              $ git ml push origin --all --dry-run
            """)

    @Argument(help: "The git remote whose data remote is meant.")
    var remote: String?

    @Flag(help: "Everything that a branch or tag names.")
    var all = false

    @Flag(help: "Only show what would be sent.")
    var dryRun = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try Repository.current()
        let command = try DataCommand(repository)
        let data = try command.remote(remote)
        var new = try repository.head().map { [$0] } ?? []
        var old: [ObjectID] = []
        if all {
            let refs = try repository.refs(below: "refs/heads/") + repository.refs(below: "refs/tags/")
            new = repository.commits(refs.map(\.target)) + new
        } else {
            let name = try remote ?? repository.lfsRemote(repository.lfsSettings()) ?? "origin"
            old = repository.commits(try repository.refs(below: "refs/remotes/\(name)/").map(\.target))
        }
        let bar = ProgressBar("sending")
        defer { bar.finish() }
        let transfer = DataTransfer(repository, store: repository.contentStore, remote: data) {
            bar.advance(by: $0, of: $1)
        }
        let datasets = DatasetTransfer(repository, remote: data) { bar.advance(by: $0, of: $1) }
        let sent =
            dryRun
            ? try await transfer.lacking(new: new, old: old) + datasets.lacking(new: new, old: old)
            : try await transfer.push(new: new, old: old) + datasets.push(new: new, old: old)
        bar.finish()
        if json.isOn {
            for content in sent {
                let line: JSON = [
                    "oid": .string(content.digest.description), "size": .int(content.size), "sent": .bool(!dryRun),
                ]
                print(line)
            }
            return
        }
        if dryRun {
            for content in sent { print("would send \(content.digest.hex) \(ByteCount.format(content.size))") }
        }
        let bytes = ByteCount.format(sent.reduce(0) { $0 + $1.size })
        if sent.isEmpty {
            print("\(data.address) has everything.")
        } else if !dryRun {
            print("sent \(sent.count) object(s), \(bytes), to \(data.address)")
        }
    }
}
