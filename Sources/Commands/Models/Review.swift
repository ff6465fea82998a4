internal import ArgumentParser
internal import Base
internal import Models
internal import SystemPackage

struct ReviewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "review",
        abstract: "Show what would change in a stage, on one page",
        discussion: """
            The candidate beside what is in the stage now: metrics with better or worse, parameters, data, code, environment,
            gates, who trained it, and whether it could be run again. Nothing is executed or fetched without --run-gates.

              $ git ml review churn prod
              $ git ml review churn prod v1.3.0 --html review.html
              $ git ml review churn prod --markdown - > comment.md

            templates/review has the pipelines that post it as a comment on GitHub and GitLab.
            """)

    @OptionGroup var options: TrialOptions

    @Flag(help: "Try all gates: commands are executed, data is fetched.")
    var runGates = false

    @Option(help: "Write a page of its own to this file; - is standard output.")
    var html: String?

    @Option(help: "Write Markdown for a pull request to this file; - is standard output.")
    var markdown: String?

    @OptionGroup var json: JSONOption

    func validate() throws {
        let onOutput = [html == "-", markdown == "-", json.isOn].filter { $0 }.count
        guard onOutput < 2 else {
            throw ValidationError("Only one of --html -, --markdown - and --json can be printed.")
        }
    }

    func run() async throws {
        let trial = try StageTrial(options)
        let gates = try await trial.results(runGates ? .all : .recorded)
        let review = try await ReviewBuilder(
            store: trial.store, entry: trial.entry, settings: trial.model, stage: trial.settings,
            policy: trial.policy, repositoryID: trial.project.repositoryID
        ).review(trial.candidate, for: options.stage, gates: gates)
        let page = ReviewPage(review)
        if let html { try write(ReviewHTML(page).text, to: html) }
        if let markdown { try write(ReviewMarkdown(page, of: review).text, to: markdown) }
        if json.isOn { print(review.json) } else if html == nil, markdown == nil { ReviewText(page).print() }
    }

    private func write(_ text: String, to file: String) throws {
        if file == "-" { return print(text, terminator: "") }
        try Files.replace(FilePath(file), with: text.utf8)
    }
}

/// The page on a terminal.
private struct ReviewText {
    private let page: ReviewPage

    init(_ page: ReviewPage) { self.page = page }

    func print() {
        Swift.print(Terminal.heading(Terminal.safe(page.title)))
        Swift.print(coloured(page.verdict.text, page.verdict.tone))
        for section in page.sections {
            Swift.print("\n" + Terminal.heading(section.title))
            if let first = section.rows.first {
                var table = Table(
                    section.columns.isEmpty ? first.map { _ in "" } : section.columns.map { $0.uppercased() })
                for row in section.rows { table.add(row.map(\.text)) }
                // Without titles the first line would be a blank one.
                for line in table.lines().dropFirst(section.columns.isEmpty ? 1 : 0) { Swift.print(line) }
            }
            if let note = section.note { Swift.print(Terminal.safe(note)) }
        }
    }

    private func coloured(_ text: String, _ tone: ReviewPage.Tone) -> String {
        guard Terminal.colourOutput else { return text }
        switch tone {
        case .good: return Terminal.green(text)
        case .bad: return "\u{1b}[31m\(text)\u{1b}[0m"
        case .plain, .quiet: return text
        }
    }
}
