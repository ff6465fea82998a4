internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs

extension Hook {
    /// Carries the runs of rewritten commits over to the new ones.
    struct PostRewrite: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "post-rewrite", abstract: "Carry runs over")

        @Argument(help: "amend or rebase, as git says it.")
        var command: String

        func run() {
            do {
                let notes = RunLog(try Repository.current()).notes
                var copies: [ObjectID: [String]] = [:]
                while let line = readLine() {
                    let ids = line.split(separator: " ").prefix(2).compactMap { ObjectID($0) }
                    guard ids.count == 2 else { continue }
                    let lines = try notes.lines(on: ids[0])
                    if !lines.isEmpty { copies[ids[1], default: []] += lines }
                }
                if !copies.isEmpty { try notes.add(copies, message: "runs: \(command)") }
            } catch {
                Terminal.error("git-ml: the records of the rewritten commits were not carried over: \(error)")
            }
        }
    }
}
