internal import Base
/// A review as Markdown that GitHub and GitLab show alike, for a comment on a pull request.
///
/// What comes out of the repository stands in code spans: there it can neither call people by `@name` nor bring in links,
/// pictures or HTML.
public struct ReviewMarkdown: Sendable {
    private let page: ReviewPage
    private let marker: String

    /// A comment may have 65,536 characters on GitHub.
    private static let longestCell = 160
    private static let longestTable = 30

    /// The first line, by which a comment is found again to be replaced, names model and stage.
    public init(_ page: ReviewPage, of review: Review) {
        self.page = page
        marker = "<!-- git-ml review \(review.model) \(review.stage) -->"
    }

    /// The whole text.
    public var text: String {
        let verdict =
            switch page.verdict.tone {
            case .good: "✅ "
            case .bad: "❌ "
            case .plain, .quiet: ""
            }
        let head = [marker, "## \(Self.code(page.title))", "\(verdict)**\(page.verdict.text)**"]
        return (head + page.sections.map(section)).joined(separator: "\n\n") + "\n"
    }

    private func section(_ section: ReviewPage.Section) -> String {
        var parts: [String] = []
        if !section.rows.isEmpty { parts.append(table(section)) }
        if let note = section.note { parts.append(Self.escaped(note)) }
        let body = parts.joined(separator: "\n\n")
        guard section.rows.count > 10 else { return "### \(section.title)\n\n\(body)" }
        let summary = "<summary>\(section.title) (\(section.rows.count))</summary>"
        return "<details>\(summary)\n\n\(body)\n\n</details>"
    }

    private func table(_ section: ReviewPage.Section) -> String {
        let width = section.columns.isEmpty ? section.rows[0].count : section.columns.count
        let columns = section.columns.isEmpty ? Array(repeating: "", count: width) : section.columns
        let marks = columns.indices.map { i in
            section.rows.contains { i < $0.count && $0[i].isNumber } ? "---:" : "---"
        }
        var lines = [columns, marks].map { "| " + $0.joined(separator: " | ") + " |" }
        for row in section.rows.prefix(Self.longestTable) {
            lines.append("| " + row.map(Self.cell).joined(separator: " | ") + " |")
        }
        let more = section.rows.count - Self.longestTable
        if more > 0 {
            lines.append(
                "| " + (["… and \(more) more"] + columns.dropFirst().map { _ in "" }).joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n")
    }

    private static func cell(_ cell: ReviewPage.Cell) -> String {
        guard cell.isOwn else { return code(cell.text) }
        if cell.text.isEmpty { return "" }
        switch cell.tone {
        case .good where !cell.isNumber: return "✅ \(cell.text)"
        case .bad where !cell.isNumber: return "❌ **\(cell.text)**"
        default: return escaped(cell.text)
        }
    }

    /// Words of our own, in which names may stand.
    private static func escaped(_ text: String) -> String {
        var out = ""
        for character in Markup.visible(text) {
            if "\\`*_{}[]<>()#!|@&~".contains(character) { out += "\\" }
            out.append(character)
        }
        return out
    }

    /// A code span that shows the text as it is, also inside a table.
    private static func code(_ text: String) -> String {
        var text = Markup.visible(text)
        if text.count > longestCell { text = text.prefix(longestCell) + "…" }
        text = text.replacing("|", with: "\\|")
        if text.allSatisfy({ $0 == " " }) { return "" }
        var longest = 0
        var run = 0
        for character in text {
            run = character == "`" ? run + 1 : 0
            longest = max(longest, run)
        }
        let fence = String(repeating: "`", count: longest + 1)
        let space = text.hasPrefix("`") || text.hasSuffix("`") ? " " : ""
        return fence + space + text + space + fence
    }
}
