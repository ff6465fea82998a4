internal import ArgumentParser
internal import Base
internal import Delivery

struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Break a delivery off",
        discussion: """
            The runner that works at it ends the step that is going on, takes away what is not live yet, and records that the
            delivery was cancelled. What has been promoted stays: `git ml rollback` brings the version before it back.

              $ git ml cancel 0193590a6b3d

            Exit statuses: 1 when it has ended already, 3 when there is no such delivery, 4 when the remote did not take it.
            """)

    @Argument(help: "The delivery, as `git ml deliveries` names it.")
    var delivery: String

    func run() async throws {
        let request = try await DeliveryRequest()
        let record = try request.delivery(delivery)
        guard record.ended == nil else { throw DeliveryState(record, wanted: "cancelled") }
        try request.log.ask("cancel", of: record, by: request.person)
        try await request.send()
        print("\(record.name) will be cancelled")
    }
}

struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a delivery again that did not succeed",
        discussion: """
            The next pass of a runner goes on at the first step that did not succeed, or at the one that --from names:
            \(DeliveryStep.all.dropLast(2).joined(separator: ", ")).

              $ git ml retry 0193590a6b3d
              $ git ml retry 0193590a6b3d --from package

            Exit statuses: 1 when it is not over, or its stage has been given to another tag, 3 when there is no such delivery, 4
            when the remote did not take it.
            """)

    @Argument(help: "The delivery, as `git ml deliveries` names it.")
    var delivery: String

    @Option(help: "The first step that is made again.")
    var from: String?

    func validate() throws {
        if let from, !DeliveryStep.all.contains(from) {
            let near = Spelling.nearest(to: from, in: DeliveryStep.all).map { "; did you mean \($0)?" } ?? ""
            throw ValidationError("there is no step “\(from)”\(near)")
        }
    }

    func run() async throws {
        let request = try await DeliveryRequest()
        let record = try request.delivery(delivery)
        guard record.ended != nil, record.status != "superseded" else { throw DeliveryState(record, wanted: "retried") }
        try request.log.ask("retry", of: record, by: request.person, from: from)
        try await request.send()
        print("\(record.name) is made again by the next pass of a runner" + (from.map { ", from “\($0)” on" } ?? ""))
    }
}

/// A delivery that is not in the state that a request asks for.
struct DeliveryState: Failure {
    let description: String
    var kind: FailureKind { .user }
    let hints: [String]

    init(_ record: DeliveryRecord, wanted: String) {
        description = "\(record.name) is \(record.status): it cannot be \(wanted)"
        hints = record.status == "superseded" ? ["`git ml stage` makes a new assignment"] : []
    }
}
