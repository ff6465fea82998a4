internal import ArgumentParser
internal import Base
internal import GitKit
internal import SystemPackage

struct MergeDataset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge-dataset", abstract: "Merge dataset pointers for git (gitattributes(5), “merge”)",
        shouldDisplay: false)

    @Argument(help: "The common state.")
    var base: String

    @Argument(help: "Our state; the result goes here.")
    var ours: String

    @Argument(help: "Their state.")
    var theirs: String

    @Argument(help: "The pointer file's path.")
    var path: String

    func run() async throws {
        let conflicts = try await DatasetCommand(Repository.current()).merge(
            base: FilePath(base), ours: FilePath(ours), theirs: FilePath(theirs), path: path)
        if conflicts.isEmpty { return }
        let name = path.hasSuffix(".dataset") ? String(path.dropLast(".dataset".count)) : path
        for conflict in conflicts { Terminal.error("git-ml: CONFLICT: \(Terminal.safe("\(name)/\(conflict)"))") }
        throw MergeConflict(name: name, count: conflicts.count)
    }
}

/// Paths that both sides of a merge have changed.
struct MergeConflict: Failure {
    let name: String
    let count: Int
    var kind: FailureKind { .user }
    var description: String { "both sides changed \(count) file(s) of \(name); the merged dataset has ours" }
    var hints: [String] {
        [
            "`git ml checkout \(shellQuoted(name))` puts the merged files in place",
            "put what you want of those files there, then run `git ml add --dataset \(shellQuoted(name))` and commit",
        ]
    }
}
