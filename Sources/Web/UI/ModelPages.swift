internal import Base
internal import Delivery
internal import GitKit
internal import Models
internal import Runs

/// The registry: all models, their latest version and what is in each stage.
struct ModelsPage {
    let entries: [ModelEntry]
    let site: Site

    var page: SitePage {
        SitePage("Models", .models) {
            Piece.head("Models", entries.count)
            if entries.isEmpty {
                Piece.empty(
                    "No model yet", "Name one in ml.yaml, then register its first version:",
                    command: "git ml register NAME")
            }
            HTML("div", ["class": "tiles"]) {
                for entry in entries { tile(entry) }
            }
        }
    }

    private func tile(_ entry: ModelEntry) -> HTML {
        HTML("a", ["class": "card tile", "href": site.address(.model("\(entry.name)"))]) {
            HTML("h2") {
                "\(entry.name)"
                if entry.isDeprecated { HTML("span", ["class": "badge bad"]) { "deprecated" } }
            }
            HTML("p", ["class": "quiet"]) {
                entry.latest.map { "latest \($0.version), \($0.time.minutes)" } ?? "no version is registered"
            }
            HTML("p", ["class": "list"]) {
                for (stage, assignments) in entry.stages.sorted(by: { $0.key < $1.key }) {
                    HTML("span", ["class": "tag stage"]) {
                        HTML("b") { stage }
                        " "
                        assignments.first.map { $0.version.map { "\($0)" } ?? $0.commit.short }
                    }
                }
            }
        }
    }
}

/// One model: its stages, versions with the run behind each, and its history.
struct ModelPage {
    let entry: ModelEntry
    let path: String?
    let description: String?
    let deliveries: [DeliveryRecord]
    let site: Site
    let run: (ObjectID) -> Run?

    /// The most versions and changes that are listed.
    private static let longest = 100

    var page: SitePage {
        SitePage("\(entry.name)", .models) {
            HTML("div", ["class": "head"]) {
                HTML("h1") { "\(entry.name)" }
                if entry.isDeprecated { HTML("span", ["class": "badge bad"]) { "deprecated" } }
            }
            if let text = description ?? entry.artifact?.description { HTML("p", ["class": "lead"]) { text } }
            HTML("div", ["class": "columns two"]) {
                Piece.card("Stages") { stages }
                Piece.card("Summary") { Piece.facts(summary) }
            }
            if !entry.versions.isEmpty { Piece.card("Versions", count: entry.versions.count) { versions } }
            if !deliveries.isEmpty {
                Piece.card("Deliveries", count: deliveries.count) {
                    DeliveriesPage.table(Array(deliveries.prefix(20)), site)
                }
            }
            if !entry.history.isEmpty { Piece.card("History", count: entry.history.count) { history } }
        }
    }

    private var summary: [(name: String, value: HTML)] {
        [
            ("Path", path.map(Piece.code) ?? .nothing), ("Type", .text(entry.artifact?.type ?? "")),
            ("Latest", .text(entry.latest.map { "\($0.version)" } ?? "no version is registered")),
            ("Labels", .text(entry.artifact?.labels.joined(separator: ", ") ?? "")),
        ]
    }

    private var stages: HTML {
        if entry.stages.isEmpty {
            return HTML("p", ["class": "quiet"]) { "In no stage. git ml stage \(entry.name) STAGE puts it into one." }
        }
        return Piece.table(
            ["Stage", "Version", "Since", "By", "Deployed"], caption: "Stages",
            entry.stages.sorted { $0.key < $1.key }.flatMap { stage, assignments in
                assignments.prefix(1).map { assignment in
                    [
                        HTML("span", ["class": "tag stage"]) { HTML("b") { stage } },
                        .text(assignment.version.map { "\($0)" } ?? assignment.commit.short),
                        Piece.time(assignment.time), .text(assignment.by ?? ""), deployed(stage),
                    ]
                }
            })
    }

    /// The latest delivery of a stage.
    private func deployed(_ stage: String) -> HTML {
        guard let record = deliveries.first(where: { $0.stage == stage }) else { return .nothing }
        return HTML("a", ["href": site.address(.delivery(record.id))]) { Piece.status(record.status) }
    }

    private var versions: HTML {
        let listed = Array(entry.versions.sorted { $1.version < $0.version }.prefix(Self.longest))
        let runs = listed.map { run($0.commit) }
        let metrics = Array(
            Set(runs.flatMap { $0?.metrics.keys.map { $0 } ?? [] }).filter { !$0.hasPrefix("system/") }.sorted().prefix(
                6))
        return Piece.table(
            ["Version", "Commit", "Made", "By", "Run"] + metrics, numbers: Set(5..<5 + metrics.count),
            caption: "Versions",
            zip(listed, runs).map { version, run in
                [
                    HTML.row([
                        HTML("b") { "\(version.version)" },
                        version.isDeregistered ? HTML("span", ["class": "badge quiet"]) { "deregistered" } : .nothing,
                    ]),
                    Piece.code(version.commit.short), Piece.time(version.time), .text(version.by ?? ""),
                    run.map { Piece.link(RunLabels.of($0), to: site.address(.run($0.id))) } ?? .nothing,
                ] + metrics.map { key in .text(run?.metrics[key].map { Decimal.short($0.last) } ?? "") }
            })
    }

    private var history: HTML {
        Piece.table(
            ["When", "What", "Version", "Stage", "By", "Tag"], caption: "History",
            entry.history.reversed().prefix(Self.longest).map { change in
                [
                    Piece.time(change.event.time), .text(change.event.kind),
                    .text(change.version.map { "\($0)" } ?? ""), .text(change.event.stage ?? ""),
                    .text(change.event.by ?? ""), Piece.code(change.event.name),
                ]
            })
    }
}
