internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs

extension Hook {
    /// Carries the runs of rewritten commits over to the new ones, and keeps the code that they ran with.
    ///
    /// Deliveries stay where they are: the new commit was never delivered.
    struct PostRewrite: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "post-rewrite", abstract: "Carry runs over")

        @Argument(help: "amend or rebase, as git says it.")
        var command: String

        func run() async {
            do {
                let repository = try Repository.current()
                let log = RunLog(repository)
                var copies: [ObjectID: [String]] = [:]
                var old: [ObjectID] = []
                while let line = readLine() {
                    let ids = line.split(separator: " ").prefix(2).compactMap { ObjectID($0) }
                    guard ids.count == 2 else { continue }
                    let lines = try log.carried(from: ids[0], to: ids[1])
                    if lines.isEmpty { continue }
                    copies[ids[1], default: []] += lines
                    old.append(ids[0])
                }
                if copies.isEmpty { return }
                try log.add(copies, message: "runs: \(command)")
                try await KeptCommits(repository).keepUnreachable(noted: old)
            } catch {
                Terminal.error("git-ml: the records of the rewritten commits were not carried over: \(error)")
            }
        }
    }
}
