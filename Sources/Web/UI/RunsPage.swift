internal import Base
internal import GitKit
internal import Runs

/// The table of experiments; its rows are brought by the page's script as they are scrolled to.
struct RunsPage {
    let columns: [RunColumn]
    let site: Site

    private static let attributes = [
        "started", "user", "status", "seconds", "experiment", "commit", "source", "host", "run",
    ]

    var page: SitePage {
        SitePage("Experiments", .runs, script: "runs") {
            HTML("div", ["class": "head"]) {
                HTML("h1") { "Experiments" }
                HTML("span", ["class": "count", "id": "total", "role": "status"]) { "" }
                if !site.isStatic {
                    HTML("div", ["class": "actions"]) {
                        chooser
                        HTML("button", ["id": "compare", "type": "button", "class": "primary", "disabled": ""]) {
                            "Compare"
                        }
                    }
                }
            }
            HTML("form", ["class": "filter", "id": "filter", "role": "search"]) {
                HTML.void(
                    "input",
                    [
                        "id": "query", "name": "filter", "type": "search", "autocomplete": "off", "spellcheck": "false",
                        "placeholder": site.isStatic ? "Find" : "metrics.auc > 0.9 and params.kind = 'gbm'",
                        "aria-label": site.isStatic ? "Find a run" : "Filter, such as metrics.auc > 0.9",
                        "aria-describedby": "problem",
                    ])
                HTML("ul", ["id": "words", "class": "words", "role": "listbox", "hidden": ""]) {}
            }
            HTML("p", ["id": "problem", "class": "problem", "role": "alert", "hidden": ""]) {}
            HTML(
                "div",
                [
                    "class": "grid", "id": "grid", "tabindex": "0", "role": "region", "aria-label": "Experiments",
                    "data-rows": site.rows,
                ]
            ) {
                HTML("table", ["id": "runs", "aria-rowcount": "-1"]) {
                    HTML("thead") {}
                    HTML("tbody") {}
                }
            }
            HTML("div", ["id": "none", "hidden": ""]) {
                Piece.empty(
                    "No run yet", "Commit as usual, or record a command with its output and curves:",
                    command: "git ml run -- python train.py")
            }
        }
    }

    private var chooser: HTML {
        HTML("details", ["class": "menu", "id": "chooser"]) {
            HTML("summary") { "Columns" }
            HTML("div", ["class": "sheet"]) {
                HTML.void(
                    "input", ["id": "find", "type": "search", "placeholder": "Find", "aria-label": "Find a column"])
                HTML("button", ["type": "button", "id": "standard", "class": "plain"]) { "Those that differ" }
                for (title, columns) in groups where !columns.isEmpty {
                    HTML("fieldset") {
                        HTML("legend") { title }
                        for column in columns {
                            HTML("label") {
                                HTML.void("input", ["type": "checkbox", "value": column.name])
                                column.key
                            }
                        }
                    }
                }
            }
        }
    }

    private var groups: [(String, [RunColumn])] {
        [
            ("Run", Self.attributes.compactMap { try? RunColumn($0) }),
            ("Metrics", columns.filter { $0.group == "metric" }),
            ("Parameters", columns.filter { $0.group == "param" }),
            ("Tags", columns.filter { $0.group == "tag" }),
        ]
    }
}
