internal import ArgumentParser
internal import Base
internal import GitKit

extension Hook {
    /// On a server: lets our refs grow and nothing else.
    struct Update: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "update", abstract: "Refuse a push that would lose recorded runs")

        @Argument(help: "The ref's full name.")
        var ref: String

        @Argument(help: "What it points at.")
        var old: String

        @Argument(help: "What it is to point at.")
        var new: String

        func run() throws {
            let ids = [old, new].map { text in ObjectID(text).flatMap { $0.hex.contains { $0 != "0" } ? $0 : nil } }
            do {
                try NotesGuard(Repository.current()).check(ref, from: ids[0], to: ids[1])
            } catch {
                Terminal.error("git-ml: \(error)")
                for hint in (error as? any Failure)?.hints ?? [] { Terminal.error("git-ml: \(hint)") }
                throw ExitCode(1)
            }
        }
    }
}
