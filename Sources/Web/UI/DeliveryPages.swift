internal import Base
internal import Delivery
internal import GitKit
internal import Models

/// What was delivered, refused or failed.
struct DeliveriesPage {
    let records: [DeliveryRecord]
    let site: Site

    /// The most that are listed.
    private static let longest = 500

    var page: SitePage {
        SitePage("Delivery", .deliveries) {
            Piece.head("Delivery", records.count)
            if records.isEmpty {
                Piece.empty(
                    "Nothing was delivered yet", "Push a tag such as churn#prod#1, and a runner starts:",
                    command: "git ml stage MODEL STAGE --push")
            } else {
                HTML("section", ["class": "card"]) { Self.table(Array(records.prefix(Self.longest)), site) }
            }
        }
    }

    static func table(_ records: [DeliveryRecord], _ site: Site) -> HTML {
        Piece.table(
            ["Staged", "Status", "Started", "Took", "Steps", "Where, or why not"], numbers: [3], caption: "Deliveries",
            records.map { record in
                [
                    Piece.link(name(record), to: site.address(.delivery(record.id))), Piece.status(record.status),
                    Piece.time(record.started),
                    .text(record.ended.map { Duration.text($0.seconds(since: record.started)) } ?? ""),
                    HTML("span", ["class": "steps"]) {
                        for step in record.steps {
                            HTML("i", ["class": step.status, "title": "\(step.name): \(step.status)"]) {}
                        }
                    },
                    HTML("span", ["class": "why"]) { record.reason ?? record.target ?? "" },
                ]
            })
    }

    static func name(_ record: DeliveryRecord) -> String {
        "\(record.model)#\(record.stage)" + (record.counter.map { "#\($0)" } ?? "")
    }
}

/// One delivery: its steps, and what each printed.
struct DeliveryPage {
    let record: DeliveryRecord
    let logs: [Digest: String]
    let site: Site

    var page: SitePage {
        SitePage(DeliveriesPage.name(record), .deliveries) {
            HTML("div", ["class": "head"]) {
                HTML("h1") { DeliveriesPage.name(record) }
                Piece.status(record.status)
            }
            if let reason = record.reason { HTML("p", ["class": "lead"]) { reason } }
            HTML("div", ["class": "columns two", "id": "facts"]) {
                Piece.card("Summary") { Piece.facts(summary) }
                Piece.card("Steps", count: record.steps.count) {
                    HTML("ol", ["class": "timeline"]) {
                        for step in record.steps { line(step) }
                    }
                }
            }
            if record.steps.contains(where: { $0.log != nil }) {
                Piece.card("Log") {
                    for step in record.steps { if let digest = step.log { log(step.name, digest) } }
                }
            }
        }
    }

    private var summary: [(name: String, value: HTML)] {
        [
            ("Delivery", Piece.code(record.id)),
            ("Model", Piece.link(record.model, to: site.address(.model(record.model)))), ("Stage", .text(record.stage)),
            ("Commit", Piece.code(record.commit.short)), ("Started", Piece.time(record.started)),
            ("Took", .text(record.ended.map { Duration.text($0.seconds(since: record.started)) } ?? "")),
            ("Image", record.image.map(Piece.code) ?? .nothing), ("Digest", record.digest.map(Piece.code) ?? .nothing),
            ("Where", .text(record.target ?? "")), ("Cancelled by", .text(record.cancelled ?? "")),
            (
                "Approved by",
                record.approvals.isEmpty
                    ? .nothing
                    : .row(record.approvals.map { approval in HTML("span", ["class": "tag"]) { approval.by } })
            ),
        ]
    }

    private func line(_ step: DeliveryRecord.Step) -> HTML {
        HTML("li", ["class": step.status]) {
            HTML("b") { step.name }
            Piece.status(step.status)
            HTML("span", ["class": "quiet number"]) { Duration.text(step.seconds) }
            if step.attempt > 1 { HTML("span", ["class": "quiet"]) { "try \(step.attempt)" } }
            if let reason = step.reason { HTML("p", ["class": "quiet"]) { reason } }
        }
    }

    private func log(_ step: String, _ digest: Digest) -> HTML {
        HTML("details", ["class": "step", "open": ""]) {
            HTML("summary") { step }
            if let text = logs[digest] {
                HTML("pre", ["class": "log", "tabindex": "0"]) { HTML.lines(TerminalText.plain(text)) }
            } else {
                HTML("p", ["class": "quiet"]) { "It is not here: git fetch brings the list of logs." }
            }
        }
    }
}
