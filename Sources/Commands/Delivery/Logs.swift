internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Models
internal import Pointers

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what the steps of a delivery printed",
        discussion: """
              $ git ml logs               the latest delivery
              $ git ml logs 0193590a6b3d
              $ git ml logs 0193590a6b3d --follow
            """)

    @Argument(help: "The delivery, as `git ml deliveries` names it.")
    var delivery: String?

    @Flag(name: .shortAndLong, help: "Go on until the delivery has ended.")
    var follow = false

    func run() async throws {
        let repository = try Repository.current()
        var shown = 0
        while true {
            try await refresh(repository)
            let log = DeliveryLog(repository)
            guard let record = try delivery.map({ try log.delivery($0) }) ?? log.all().first else {
                throw NoDelivery(id: delivery)
            }
            for step in record.steps.dropFirst(shown) { try await show(step, repository) }
            shown = record.steps.count
            guard follow, record.ended == nil else {
                let reason = record.reason.map { ": \(Terminal.safe($0))" } ?? ""
                return print("\(record.name): \(record.status)\(reason)")
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func refresh(_ repository: Repository) async throws {
        let remotes = try repository.remotes()
        guard follow, let remote = remotes.contains("origin") ? "origin" : remotes.first else {
            return try NotesSync(repository).mergeFetched()
        }
        try await NotesSync(repository).fetch(remote)
    }

    private func show(_ step: DeliveryRecord.Step, _ repository: Repository) async throws {
        guard let digest = step.log else { return }
        let remote = try DataRemote(repository, project: .inWorkTree(of: repository)).own()
        guard let bytes = try await KeptObjects(repository).read(digest, remote: remote) else {
            return Terminal.line(
                "\(step.name): its log \(digest.short) is not here: `git fetch` brings the list of logs")
        }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            Terminal.line(Terminal.safe(String(line)))
        }
    }
}

/// A delivery that is not known.
struct NoDelivery: Failure {
    let id: String?
    var kind: FailureKind { .notFound }
    var description: String { id.map { "no single delivery begins with “\($0)”" } ?? "there are no deliveries yet" }
    var hints: [String] { ["`git ml deliveries` lists them"] }
}
