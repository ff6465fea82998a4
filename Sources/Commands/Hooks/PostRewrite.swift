internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs
internal import SystemPackage

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
                if !copies.isEmpty {
                    try log.add(copies, message: "runs: \(command)")
                    try await KeptCommits(repository).keepUnreachable(noted: old)
                }
            } catch {
                Terminal.error("git-ml: the records of the rewritten commits were not carried over: \(error)")
            }
            if command == "rebase" { await follow() }
        }

        /// What the rebase has left to its end.
        private func follow() async {
            guard let repository = try? Repository.current(), let head = try? repository.head() else { return }
            let places = ["rebase-merge", "rebase-apply"].map {
                repository.gitDirectory.appending($0).appending("orig-head")
            }
            let text = places.lazy.compactMap { try? Files.readText($0) }.first
            let old = text.flatMap { ObjectID($0.trimmingTrailingSpace) } ?? (try? repository.resolve("ORIG_HEAD"))
            await DatasetFollow.run(repository, from: old ?? head, to: head, behind: true)
        }
    }
}
