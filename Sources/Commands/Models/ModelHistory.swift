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
              $ git ml history 'churn#prod'
              $ git ml history --json
            """)

    @Argument(help: "The model, or one version or stage of it: NAME@VERSION, NAME#STAGE; without it, all models.")
    var model: ModelArgument?

    @Flag(help: "The oldest first.")
    var ascending = false

    @OptionGroup var json: JSONOption

    func run() throws {
        let models = try ModelProject.current()
        let entries = try model.map { [try models.entry($0.name)] } ?? models.entries
        var changes = try entries.flatMap(\.history).filter(wanted(models))
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
            print("No tag speaks of " + (model.map { "\($0.address?.description ?? $0.name) yet." } ?? "a model yet."))
        } else {
            table.print()
        }
    }

    /// Of a version what is said of it, of a stage what was in it; without either, everything.
    private func wanted(_ models: ModelProject) throws -> (ModelChange) -> Bool {
        guard let address = model?.address else { return { _ in true } }
        if case .stage(let stage) = address.selector { return { $0.event.stage == stage } }
        if case .version(let version) = address.selector { return { $0.version == version } }
        let version = try address.resolve(in: models.registry, declared: models.project.models.keys).version?.version
        return { $0.version == version }
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
