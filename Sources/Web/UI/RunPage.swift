internal import Base
internal import GitKit
internal import Runs

/// One run, in full.
struct RunPage {
    let run: Run
    let site: Site
    let code: CodeChange?
    let log: LogTail?
    let children: [Run]
    let parent: Run?
    let isGoingOn: Bool

    var page: SitePage {
        SitePage(RunLabels.of(run), .runs, script: "run") {
            HTML("div", ["class": "head"]) {
                HTML("h1") { RunLabels.of(run) }
                Piece.status(run.status)
                HTML("div", ["class": "actions"]) {
                    HTML("nav", ["class": "jump", "aria-label": "On this page"]) {
                        for (id, name) in sections { Piece.link(name, to: "#\(id)") }
                    }
                }
            }
            HTML(
                "div",
                [
                    "id": "run", "data-run": run.id, "data-curves": site.curves(of: run.id),
                    "data-going": isGoingOn ? "1" : nil,
                ]
            ) {
                HTML("div", ["class": "columns", "id": "facts"]) {
                    Piece.card("Summary") { Piece.facts(summary) }
                    if !run.metrics.isEmpty {
                        Piece.card("Metrics", id: "metrics", count: run.metrics.count) { metrics }
                    }
                    if !run.params.isEmpty {
                        Piece.card("Parameters", id: "params", count: run.params.count) { params }
                    }
                }
                HTML("section", ["class": "card", "id": "curves", "hidden": ""]) {
                    HTML("h2") { "Curves" }
                    HTML("div", ["class": "controls", "id": "controls"]) {}
                    HTML("div", ["class": "charts", "id": "charts"]) {}
                }
                HTML("section", ["class": "card", "id": "system", "hidden": ""]) {
                    HTML("h2") { "System" }
                    HTML("div", ["class": "charts", "id": "gauges"]) {}
                }
                if !files.isEmpty { Piece.card("Artifacts", id: "artifacts", count: files.count) { artifacts } }
                if !run.inputs.isEmpty { Piece.card("Data", id: "data", count: run.inputs.count) { inputs } }
                if let log { Piece.card("Log", id: "log") { text(log) } }
                if let code, !code.lines.isEmpty {
                    Piece.card("Code", id: "code") {
                        if run.dirty {
                            HTML("p", ["class": "quiet"]) { "What had been changed and was not committed when it ran." }
                        }
                        code.html
                        if code.isCut { HTML("p", ["class": "quiet"]) { "The rest is left out: git diff shows it." } }
                    }
                }
                if let members = run.environment.members, !members.isEmpty {
                    Piece.card("Environment", id: "environment") {
                        Piece.facts(members.map { ($0.key, HTML.text(Environment.text($0.value))) })
                    }
                }
                Piece.card("Run it again", id: "again") {
                    HTML("p") { "In a clean work tree, with the same data and the same command:" }
                    command("git ml reproduce \(RunLabels.short(run.id))")
                }
            }
        }
    }

    private var files: [RunItem] { run.outputs.filter { $0.role != .log } }

    private var sections: [(String, String)] {
        [
            ("metrics", run.metrics.isEmpty ? "" : "Metrics"), ("artifacts", files.isEmpty ? "" : "Artifacts"),
            ("data", run.inputs.isEmpty ? "" : "Data"), ("log", log == nil ? "" : "Log"),
            ("code", code?.lines.isEmpty ?? true ? "" : "Code"), ("again", "Run it again"),
        ].filter { !$0.1.isEmpty }
    }

    private func command(_ text: String) -> HTML {
        HTML("div", ["class": "command"]) {
            HTML("code") { text }
            HTML("button", ["type": "button", "class": "plain copy", "aria-label": "Copy", "data-copy": text]) {
                "Copy"
            }
        }
    }

    // MARK: Parts

    private var summary: [(name: String, value: HTML)] {
        var facts: [(name: String, value: HTML)] = [
            ("Run", Piece.code(run.id)), ("Started", Piece.time(run.started)),
            ("Took", .text(run.seconds.map { Duration.text($0) } ?? "")),
            ("By", .text([run.user, run.host].compactMap(\.self).joined(separator: " on "))),
            ("Experiment", .text(run.experiment ?? "")),
            (
                "Command",
                run.command.isEmpty ? .nothing : Piece.code(run.command.map(shellQuoted).joined(separator: " "))
            ),
            ("Code", Piece.code(run.commit.short + (run.dirty ? " with changes" : ""))),
            ("Kept out", .text(run.leftOut.joined(separator: ", "))),
            ("Committed as", .row(run.links.map { Piece.code($0.short) })),
            ("Memory", .text(run.peakMemory.map { "\(ByteCount.format($0)) at most" } ?? "")),
            ("Exit status", .text(run.exit.flatMap { $0 == 0 ? nil : String($0) } ?? "")),
            ("Recorded by", .text(run.source)),
        ]
        if let parent {
            facts.append(("Part of", Piece.link(RunLabels.of(parent), to: site.address(.run(parent.id)))))
        }
        if !children.isEmpty {
            facts.append(
                (
                    "Parts",
                    HTML("span", ["class": "list"]) {
                        for child in children.prefix(100) {
                            Piece.link(RunLabels.of(child), to: site.address(.run(child.id)))
                        }
                    }
                ))
        }
        let tags = run.tags.filter { $0.key != Run.noteTag && !$0.key.hasPrefix("mlflow.") }.sorted { $0.key < $1.key }
        if !tags.isEmpty {
            facts.append(
                (
                    "Tags",
                    HTML("span", ["class": "list"]) {
                        for (key, value) in tags { HTML("span", ["class": "tag"]) { "\(key)=\(value)" } }
                    }
                ))
        }
        if let note = run.tags[Run.noteTag] {
            facts.append(("Note", HTML("span", ["class": "note"]) { HTML.lines(note) }))
        }
        return facts
    }

    private var metrics: HTML {
        let all = run.metrics.filter { !$0.key.hasPrefix("system/") }.sorted { $0.key < $1.key }
        guard all.contains(where: { $0.value.count > 1 }) else {
            return Piece.table(
                ["Metric", "Value"], numbers: [1], caption: "Metrics",
                all.map { [.text($0.key), Self.number($0.value.last)] })
        }
        return Piece.table(
            ["Metric", "Last", "Lowest", "Highest", "Step"], numbers: [1, 2, 3, 4], caption: "Metrics",
            all.map { key, summary in
                // Of a single value there is no more to say.
                [.text(key), Self.number(summary.last)]
                    + (summary.count > 1
                        ? [Self.number(summary.min), Self.number(summary.max), .text(String(summary.step))]
                        : [.nothing, .nothing, .nothing])
            })
    }

    private static func number(_ value: Double) -> HTML {
        HTML("span", ["title": "\(value)"]) { Decimal.short(value) }
    }

    private var params: HTML {
        Piece.table(
            ["Parameter", "Value"], caption: "Parameters",
            run.params.sorted { $0.key < $1.key }.map { [.text($0.key), Piece.code($0.value)] })
    }

    private var artifacts: HTML {
        HTML("div", ["class": "files"]) {
            for item in files { artifact(item) }
        }
    }

    private func artifact(_ item: RunItem) -> HTML {
        let address = site.artifact(item.path, of: run.id)
        let preview = site.isStatic ? nil : Preview(path: item.path, size: item.size)
        let head = HTML.row([
            HTML("span", ["class": "path"]) { item.path },
            HTML("span", ["class": "badge quiet"]) { item.role.rawValue },
            HTML("span", ["class": "quiet number"]) { ByteCount.format(item.size) },
            site.isStatic ? .nothing : Piece.link("Download", to: address + "&download=1"),
        ])
        guard let preview else { return HTML("div", ["class": "file"]) { head } }
        return HTML("details", ["class": "file", "data-frame": address, "data-kind": preview.kind]) {
            HTML("summary") { head }
        }
    }

    private var inputs: HTML {
        Piece.table(
            ["File", "Digest", "Size"], numbers: [2], caption: "Data",
            run.inputs.map { item in
                [
                    Piece.link(item.path, to: site.address(.content(item.digest.hex))), Piece.code(item.digest.short),
                    .text(ByteCount.format(item.size)),
                ]
            })
    }

    private func text(_ log: LogTail) -> HTML {
        switch log {
        case .missing:
            HTML("p", ["class": "quiet"]) {
                "It is neither here nor at the remote: git push in the clone that made it."
            }
        case .lines(let text, let isCut):
            .row([
                isCut ? HTML("p", ["class": "quiet"]) { "The beginning is left out." } : .nothing,
                HTML("pre", ["class": "log", "tabindex": "0"]) { HTML.lines(text) },
            ])
        }
    }
}
