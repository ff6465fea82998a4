internal import Base
internal import Delivery
internal import GitKit

/// Asks a runner for something by an event in the delivery notes, which are sent at once where there is a remote.
struct DeliveryRequest {
    let repository: Repository
    let log: DeliveryLog
    private let remote: String?

    /// Knows what the remote has of our notes now.
    init() async throws {
        repository = try .current()
        log = DeliveryLog(repository)
        let remotes = try repository.remotes()
        remote = repository.workTree == nil ? nil : remotes.contains("origin") ? "origin" : remotes.first
        if let remote { try await NotesSync(repository).fetch(remote) }
    }

    var person: String { get throws { try repository.user().email } }

    func delivery(_ prefix: String) throws -> DeliveryRecord {
        guard let record = try log.delivery(prefix) else { throw NoDelivery(id: prefix) }
        return record
    }

    func send() async throws {
        if let remote { try await NotesSync(repository).push(remote) }
    }
}
