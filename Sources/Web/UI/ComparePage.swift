internal import Base
internal import GitKit
internal import Runs

/// Runs side by side.
struct ComparePage {
    let runs: [Run]
    let site: Site

    var page: SitePage {
        SitePage("Compare", .runs, script: "compare") {
            HTML("div", ["class": "head"]) {
                HTML("h1") { "Compare" }
                HTML("span", ["class": "count"]) { "\(runs.count) run\(runs.count == 1 ? "" : "s")" }
            }
            if runs.isEmpty {
                Piece.empty("Nothing is chosen", "Tick runs in the table of experiments, then press Compare.")
            } else {
                HTML("div", ["id": "compared", "data-runs": runs.map(\.id).joined(separator: " ")]) {
                    HTML("section", ["class": "card", "id": "curves", "hidden": ""]) {
                        HTML("h2") { "Curves" }
                        HTML("div", ["class": "controls", "id": "controls"]) {}
                        HTML("div", ["class": "charts", "id": "charts"]) {}
                    }
                    if runs.count > 1 {
                        HTML("div", ["class": "columns two"]) {
                            chart("Scatter", "scatter")
                            chart("Parallel coordinates", "parallel")
                        }
                    }
                    Piece.card("What differs") { table(rows) }
                }
            }
        }
    }

    private var rows: [RunComparison.Row] { RunComparison(runs: runs).rows(all: runs.count == 1) }

    private func chart(_ title: String, _ id: String) -> HTML {
        HTML("section", ["class": "card", "id": id, "hidden": ""]) {
            HTML("h2") { title }
            HTML("div", ["class": "controls"]) {}
            HTML("div", ["class": "chart", "role": "img", "aria-label": title]) {}
        }
    }

    private func table(_ rows: [RunComparison.Row]) -> HTML {
        HTML("div", ["class": "scroll", "tabindex": "0", "role": "region", "aria-label": "What differs"]) {
            HTML("table", ["class": "compared"]) {
                HTML("thead") {
                    HTML("tr") {
                        HTML("th", ["scope": "col"]) { "" }
                        for (run, label) in zip(runs, RunLabels.of(runs)) {
                            HTML("th", ["scope": "col"]) {
                                HTML("span", ["class": "key", "data-series": run.id]) {}
                                Piece.link(label, to: site.address(.run(run.id)))
                            }
                        }
                    }
                }
                for (title, rows) in Self.grouped(rows) {
                    HTML("tbody") {
                        HTML("tr", ["class": "group"]) {
                            HTML("th", ["colspan": String(runs.count + 1), "scope": "rowgroup"]) { title }
                        }
                        for row in rows {
                            HTML("tr") {
                                HTML("th", ["scope": "row"]) { row.key }
                                for (i, cell) in row.cells.enumerated() {
                                    HTML("td", ["class": row.best.contains(i) ? "best" : nil]) { cell }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private static func grouped(_ rows: [RunComparison.Row]) -> [(title: String, rows: [RunComparison.Row])] {
        let titles = [
            "code": "Code", "param": "Parameters", "metric": "Metrics", "environment": "Environment",
        ]
        var groups: [(title: String, rows: [RunComparison.Row])] = []
        for row in rows {
            let title = titles[row.kind] ?? "Files"
            if groups.last?.title == title {
                groups[groups.count - 1].rows.append(row)
            } else {
                groups.append((title, [row]))
            }
        }
        return groups
    }
}
