internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs

struct Rename: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give a run another name",
        discussion: """
              $ git ml rename 0193590a6b3d gbm-3
            """)

    @Argument(help: "The run: the beginning of its id, its name, a commit, best:metrics.KEY.")
    var name: String

    @Argument(help: "Its new name.")
    var new: String

    @OptionGroup var json: JSONOption

    func run() throws {
        let isPlain = new.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
        guard isPlain, !new.allSatisfy(\.isWhitespace), new.utf8.count <= 250 else {
            throw UnusableName(name: new)
        }
        let store = try RunStore.current()
        let run = try RunSelection(store: store).run(name)
        if run.name != new { try store.change(run) { $0.tags([Run.nameTag: new]) } }
        try RunChange.report(run, store, json: json, "renamed \(RunLabels.of(run)) to \(new)")
    }
}

/// A name that no run can have.
private struct UnusableName: Failure {
    let name: String
    var kind: FailureKind { .user }
    var description: String { Terminal.safe("“\(name.prefix(40))” is no name for a run") }
    var hints: [String] { ["a name is at most 250 bytes of text on one line"] }
}

/// What the commands say that change a run.
enum RunChange {
    /// Prints the run as it is now, or a sentence with the beginning of its id.
    static func report(_ run: Run, _ store: RunStore, json: JSONOption, _ sentence: String) throws {
        guard json.isOn else { return print(Terminal.safe("\(sentence) (\(RunLabels.short(run.id)))")) }
        print(try (store.run(id: run.id) ?? run).json)
    }
}
