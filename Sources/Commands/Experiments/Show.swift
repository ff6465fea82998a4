internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show everything recorded about a commit's experiment",
        discussion: """
              $ git ml show
              $ git ml show HEAD~2 --json
            """)

    @Argument(help: "A commit, branch or tag.")
    var revision = "HEAD"

    @OptionGroup var json: JSONOption

    func run() throws {
        let repository = try Repository.current()
        try NotesSync(repository).mergeFetched()
        let commit = try repository.commit(repository.resolve(revision))
        let runs = try RunLog(repository).runs(on: commit.id)
        guard !runs.isEmpty else { throw NoRun(commit: commit.id.short) }
        for run in runs {
            if json.isOn { print(run.json) } else { show(run, commit) }
        }
    }

    private func show(_ run: Run, _ commit: Commit) {
        print("run      \(run.id) (\(run.status), recorded by \(run.source))")
        print("commit   \(commit.id) \(Terminal.safe(commit.summary))")
        print("when     \(run.started.minutes) UTC")
        if let user = run.user { print("who      \(Terminal.safe(user))") }
        for member in run.environment.members ?? [] {
            if let text = member.value.string { print("\(member.key.padded(8)) \(Terminal.safe(text))") }
        }
        section("parameters", run.params.sorted { $0.key < $1.key }.map { [$0.key, $0.value] })
        section("metrics", run.values.sorted { $0.key < $1.key }.map { [$0.key, RunTable.text($0.value)] })
        section("inputs", run.inputs.map { [$0.path, $0.digest.short, ByteCount.format($0.size)] })
        section("outputs", run.outputs.map { [$0.path, $0.digest.short, ByteCount.format($0.size)] })
    }

    private func section(_ title: String, _ rows: [[String]]) {
        guard let first = rows.first else { return }
        var table = Table([title] + Array(repeating: "", count: first.count - 1))
        for row in rows { table.add(row) }
        print("")
        table.print()
    }
}

/// A commit without a recorded run.
struct NoRun: Failure {
    let commit: String
    var kind: FailureKind { .notFound }
    var description: String { "no experiment is recorded on \(commit)" }
    var hints: [String] { ["`git ml log` lists those that are"] }
}

extension String {
    /// Filled with spaces to a width.
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
