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
            """)

    @Argument(help: "The delivery, as `git ml deliveries` names it.")
    var delivery: String?

    func run() async throws {
        let repository = try Repository.current()
        try NotesSync(repository).mergeFetched()
        let log = DeliveryLog(repository)
        guard let record = try delivery.map({ try log.delivery($0) }) ?? log.all().first else {
            throw NoDelivery(id: delivery)
        }
        let kept = KeptObjects(repository)
        for step in record.steps {
            guard let digest = step.log else { continue }
            let remote = try DataRemote(repository, project: .inWorkTree(of: repository)).own()
            guard let bytes = try await kept.read(digest, remote: remote) else {
                print("\(step.name): its log \(digest.short) is not here: `git fetch` brings the list of logs")
                continue
            }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
                print(Terminal.safe(String(line)))
            }
        }
        print("\(record.name): \(record.status)" + (record.reason.map { ": \(Terminal.safe($0))" } ?? ""))
    }
}

/// A delivery that is not known.
struct NoDelivery: Failure {
    let id: String?
    var kind: FailureKind { .notFound }
    var description: String { id.map { "no single delivery begins with “\($0)”" } ?? "there are no deliveries yet" }
    var hints: [String] { ["`git ml deliveries` lists them"] }
}
