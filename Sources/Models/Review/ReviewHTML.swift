internal import Base

/// A review as one HTML page that loads nothing and runs nothing.
public struct ReviewHTML: Sendable {
    private let page: ReviewPage

    public init(_ page: ReviewPage) { self.page = page }

    private static let style = """
        :root { color-scheme: light dark; --ink: #1f2937; --quiet: #6b7280; --line: #e5e7eb; --ground: #ffffff;
          --head: #f8fafc; --good: #15803d; --good-ground: #dcfce7; --bad: #b91c1c; --bad-ground: #fee2e2 }
        @media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --quiet: #9ca3af; --line: #374151;
          --ground: #111827; --head: #1f2937; --good: #4ade80; --good-ground: #14532d; --bad: #f87171;
          --bad-ground: #7f1d1d } }
        body { font: 15px/1.5 system-ui, 'Segoe UI', sans-serif; color: var(--ink); background: var(--ground);
          margin: 2rem auto; max-width: 64rem; padding: 0 1rem }
        h1 { font-size: 1.6rem; margin: 0 0 .5rem }
        h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
        .verdict { display: inline-block; padding: .15rem .7rem; border-radius: 1rem; font-weight: 600;
          background: var(--head) }
        .verdict.good { background: var(--good-ground) } .verdict.bad { background: var(--bad-ground) }
        .table { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem }
        table { border-collapse: collapse; width: 100% }
        th, td { padding: .35rem .8rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
          overflow-wrap: anywhere }
        tr:last-child td { border-bottom: 0 }
        th { background: var(--head); color: var(--quiet); font-weight: 600; font-size: .85rem; white-space: nowrap }
        .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
        .good { color: var(--good) } .bad { color: var(--bad) } .quiet, p { color: var(--quiet) }
        td.good, td.bad { font-weight: 600 }
        p { margin: .4rem 0 }
        """

    /// The whole page.
    public var text: String {
        let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="\(policy)">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(Self.escape(page.title))</title>
            <style>
            \(Self.style)
            </style>
            </head>
            <body>
            <h1>\(Self.escape(page.title))</h1>
            <span class="verdict \(Self.name(page.verdict.tone))">\(Self.escape(page.verdict.text))</span>
            \(page.sections.map(section).joined(separator: "\n"))
            </body>
            </html>

            """
    }

    private func section(_ section: ReviewPage.Section) -> String {
        var lines = ["<h2>\(Self.escape(section.title))</h2>"]
        if !section.rows.isEmpty {
            lines.append("<div class=\"table\"><table>")
            if !section.columns.isEmpty {
                let isNumber = section.columns.indices.map { i in
                    section.rows.contains { i < $0.count && $0[i].isNumber }
                }
                let cells = zip(section.columns, isNumber).map {
                    "<th\($1 ? " class=\"number\"" : "")>\(Self.escape($0))</th>"
                }
                lines.append("<thead><tr>\(cells.joined())</tr></thead>")
            }
            lines.append("<tbody>")
            lines += section.rows.map { "<tr>\($0.map(Self.cell).joined())</tr>" }
            lines.append("</tbody></table></div>")
        }
        if let note = section.note { lines.append("<p>\(Self.escape(note))</p>") }
        return lines.joined(separator: "\n")
    }

    private static func cell(_ cell: ReviewPage.Cell) -> String {
        let classes = [name(cell.tone), cell.isNumber ? "number" : ""].filter { !$0.isEmpty }
        let attribute = classes.isEmpty ? "" : " class=\"\(classes.joined(separator: " "))\""
        return "<td\(attribute)>\(escape(cell.text))</td>"
    }

    private static func name(_ tone: ReviewPage.Tone) -> String {
        switch tone {
        case .plain: ""
        case .good: "good"
        case .bad: "bad"
        case .quiet: "quiet"
        }
    }

    private static func escape(_ text: String) -> String { Markup.escape(Markup.visible(text)) }
}
