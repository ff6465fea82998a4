internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Models

struct Deliveries: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what was delivered, refused or failed, latest first",
        discussion: """
            In a clone it asks the remote first. With --follow it prints the steps as they happen, until everything
            that is staged has a result, and exits with 1 when the last one was not delivered.

              $ git ml deliveries
              $ git ml deliveries churn --follow
              $ git ml logs 0193590a6b3d
            """)

    @Argument(help: "Only this model.")
    var model: String?

    @Option(name: .shortAndLong, help: "Show at most so many.")
    var limit = 20

    @Flag(name: .shortAndLong, help: "Print the steps as they happen.")
    var follow = false

    @Flag(help: "Do not ask the remote.")
    var offline = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try Repository.current()
        if follow { return try await watch(repository) }
        do { try await refresh(repository) } catch { Terminal.error("git-ml: this may be old: \(error)") }
        let records = try Array(deliveries(repository).prefix(limit))
        if json.isOn {
            for record in records { print(record.json) }
        } else if records.isEmpty {
            print("No deliveries yet: push a tag such as churn#prod#1, and a runner starts one.")
        } else {
            Self.table(records).print()
        }
        let approvals = try ApprovalLog(repository).all().filter { model == nil || $0.model == model }
        if !json.isOn, !approvals.isEmpty {
            print("")
            Approve.table(Array(approvals.prefix(limit))).print()
        }
    }

    private func deliveries(_ repository: Repository) throws -> [DeliveryRecord] {
        try DeliveryLog(repository).all().filter { model == nil || $0.model == model }
    }

    private func refresh(_ repository: Repository) async throws {
        let remotes = try repository.remotes()
        guard !offline, let remote = remotes.contains("origin") ? "origin" : remotes.first else {
            return try NotesSync(repository).mergeFetched()
        }
        try await NotesSync(repository).fetch(remote)
    }

    private static func table(_ records: [DeliveryRecord]) -> Table {
        var table = Table(["DELIVERY", "STAGED", "COMMIT", "STARTED", "SECONDS", "STATUS", "WHERE, OR WHY NOT"])
        for record in records {
            table.add([
                record.shortID, record.name, record.commit.short, record.started.minutes,
                record.ended.map { Decimal.format($0.seconds(since: record.started), digits: 1) } ?? "",
                record.status, record.reason ?? record.target ?? record.steps.last.map { "\($0.name) …" } ?? "",
            ])
        }
        return table
    }

    // MARK: - Following

    private func watch(_ repository: Repository) async throws {
        var told: [String: Int] = [:]
        var isFirst = true
        while true {
            try await refresh(repository)
            let records = try deliveries(repository)
            for record in records.reversed() {
                // What had ended before we came is history.
                if isFirst, record.ended != nil, try !desired(repository).contains(Self.key(record)) {
                    told[record.id] = .max
                    continue
                }
                tell(record, &told)
            }
            isFirst = false
            let settled = Set(records.filter { $0.ended != nil }.map(Self.key))
            if try desired(repository).isSubset(of: settled) {
                guard records.first.map({ $0.status == "succeeded" }) ?? true else { throw ExitCode(1) }
                return
            }
            try await Task.sleep(for: .milliseconds(300))
        }
    }

    private func tell(_ record: DeliveryRecord, _ told: inout [String: Int]) {
        let before = told[record.id] ?? 0
        guard before != .max else { return }
        for step in record.steps.dropFirst(before) {
            let why = step.reason.map { ": \($0)" } ?? ""
            Terminal.line("\(record.name)  \(step.name): \(step.status)\(why)")
        }
        told[record.id] = record.steps.count
        if record.ended != nil {
            Terminal.line("\(record.name)  \(record.status): \(record.reason ?? record.target ?? "")")
            told[record.id] = .max
        }
    }

    /// What a runner delivers or refuses: what is staged, and what would be if light tags counted.
    private func desired(_ repository: Repository) throws -> Set<String> {
        let tags = try repository.tags()
        return Set(
            [false, true].flatMap { Registry(tags, allowLight: $0).models.values }
                .filter { model == nil || "\($0.name)" == model }
                .flatMap { model in
                    model.desired.map { "\($0.value.tagID.hex) \(model.name)#\($0.key)" }
                })
    }

    /// The tag, the model and the stage: a light tag is named by its commit, which others may share.
    private static func key(_ record: DeliveryRecord) -> String { "\(record.tag) \(record.model)#\(record.stage)" }
}

extension DeliveryRecord {
    /// The tag's name: `churn#prod#4`.
    var name: String { "\(model)#\(stage)" + (counter.map { "#\($0)" } ?? "") }

    /// Enough of the id for `git ml logs`.
    var shortID: String { String(id.prefix(13)) }
}
