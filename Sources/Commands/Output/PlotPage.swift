internal import Base
internal import GitKit
internal import Runs

/// A page with a plot and the numbers behind it; opens from a file, loads nothing and runs nothing.
struct PlotPage {
    private static let style = """
        body { font-family: system-ui, 'Segoe UI', sans-serif; margin: 2rem auto; max-width: 60rem; color: #1f2937 }
        svg { max-width: 100%; height: auto }
        table { border-collapse: collapse; width: 100%; font-size: 0.9rem; margin-top: 1rem }
        th, td { padding: 0.4rem 0.7rem; text-align: left; border-bottom: 1px solid #e5e7eb }
        th { color: #6b7280; font-weight: 600 }
        td.number { text-align: right; font-variant-numeric: tabular-nums }
        code { font-size: 0.85em }
        """

    let title: String
    let picture: String
    /// Each run with its label and what is known of the metric.
    let rows: [(label: String, run: Run, summary: MetricSummary)]

    var html: String {
        let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        let head = ["Run", "Id", "Code", "Started (UTC)", "Last", "Lowest", "Highest", "Step", "Points"]
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="\(policy)">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(Markup.escape(title))</title>
            <style>
            \(Self.style)
            </style>
            </head>
            <body>
            \(picture)
            <table>
            <thead><tr>\(head.map { "<th>\($0)</th>" }.joined())</tr></thead>
            <tbody>
            \(rows.map(row).joined(separator: "\n"))
            </tbody>
            </table>
            </body>
            </html>

            """
    }

    private func row(_ label: String, _ run: Run, _ summary: MetricSummary) -> String {
        let texts = [
            Markup.escape(label), "<code>\(Markup.escape(run.id))</code>", "<code>\(run.commit.short)</code>",
        ]
        let numbers = [summary.last, summary.min, summary.max].map { RunTable.text($0) }
        let counts = [String(summary.step), String(summary.count)]
        return "<tr>" + (texts + [run.started.minutes]).map { "<td>\($0)</td>" }.joined()
            + (numbers + counts).map { "<td class=\"number\">\($0)</td>" }.joined() + "</tr>"
    }
}
