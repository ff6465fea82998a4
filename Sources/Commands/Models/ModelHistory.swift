internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models

struct ModelHistory: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Tell who registered, staged and removed which version of a model, the latest first",
        discussion: """
            The order is GTO's: by the dates of the tags.

              $ git ml history churn
              $ git ml history --json
            """)

    @Argument(help: "The model; without it, all of them.")
    var model: String?

    @Flag(help: "The oldest first.")
    var ascending = false

    @OptionGroup var json: JSONOption

    func run() throws {
        let models = try ModelProject.current()
        let entries = try model.map { [try models.entry($0)] } ?? models.entries
        var changes = entries.flatMap(\.history)
        if entries.count > 1 {
            changes.sort { ($0.event.time, $0.event.priority) < ($1.event.time, $1.event.priority) }
        }
        if !ascending { changes.reverse() }
        if json.isOn {
            for change in changes { print(try json(change, models.repository)) }
            return
        }
        var table = Table(["WHEN", "MODEL", "WHAT", "VERSION", "STAGE", "COMMIT", "BY", "TAG"])
        for change in changes {
            let event = change.event
            table.add([
                event.time.minutes, "\(event.tag.model)", event.kind, change.version.map { "\($0)" } ?? "",
                event.stage ?? "", event.commit.short, event.by ?? "", event.name,
            ])
        }
        if table.isEmpty {
            print("No tag speaks of " + (model.map { "\($0) yet." } ?? "a model yet."))
        } else {
            table.print()
        }
    }

    private func json(_ change: ModelChange, _ repository: Repository) throws -> JSON {
        let event = change.event
        let message = try? repository.tag(event.id).message
        return [
            "time": .string(event.time.wholeSeconds), "model": .string("\(event.tag.model)"),
            "event": .string(event.kind), "version": .optional(change.version.map { "\($0)" }),
            "stage": .optional(event.stage), "commit": .string(event.commit.hex), "by": .optional(event.by),
            "email": .optional(event.email), "tag": .string(event.name), "id": .string(event.id.hex),
            "counter": event.tag.counter.map { .int(Int64($0)) } ?? .null, "message": .optional(message),
        ]
    }
}
