internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs

struct NoteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "note",
        abstract: "Print or write the note on a run",
        discussion: """
            MLflow shows the note as the run's description. An empty text removes it.

              $ git ml note gbm-3
              $ git ml note gbm-3 -m "overfits after step 40"
            """)

    @Argument(help: "The run: the beginning of its id, its name, a commit, best:metrics.KEY.")
    var name: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The new note.", valueName: "text"))
    var message: String?

    @OptionGroup var json: JSONOption

    func run() throws {
        let store = try RunStore.current()
        let run = try RunSelection(store: store).run(name)
        guard let message else {
            if json.isOn { return print(["run": .string(run.id), "note": .optional(run.tags[Run.noteTag])] as JSON) }
            guard let note = run.tags[Run.noteTag] else { throw NoNote(run: RunLabels.of(run)) }
            for line in note.split(separator: "\n", omittingEmptySubsequences: false) {
                print(Terminal.safe(String(line)))
            }
            return
        }
        try store.change(run) { events in
            message.isEmpty ? events.tags([:], unset: [Run.noteTag]) : events.tags([Run.noteTag: message])
        }
        let verb = message.isEmpty ? "removed the note on" : "noted on"
        try RunChange.report(run, store, json: json, "\(verb) \(RunLabels.of(run))")
    }
}

/// A run without a note.
private struct NoNote: Failure {
    let run: String
    var kind: FailureKind { .notFound }
    var description: String { Terminal.safe("there is no note on the run \(run)") }
    var hints: [String] { ["write one with -m TEXT"] }
}
