import Base
import GitKit
import Runs
import SystemPackage
import TestSupport
import Testing

@testable import Models

struct ReviewPageTests {
    private let sandbox: Sandbox
    private let repository: Repository

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
    }

    /// A review in which every text that comes from the repository is `text`.
    private func review(_ text: String) throws -> Review {
        let commit = try repository.commit(repository.resolve("HEAD"))
        var run = try TestRun.with([text: 1], [text: text])
        run.name = text
        run.user = text
        run.command = [text]
        var side = Review.Side(commit: commit)
        side.run = run
        var review = Review(
            model: try #require(ModelName("churn")), stage: "prod", candidate: side, current: side, assignment: nil,
            reproducibility: Reproducibility(verdict: .no, reasons: [text]))
        review.metrics = [Review.Metric(key: text, old: 1, new: 2, direction: .higher)]
        review.params = [Review.Value(key: text, old: text, new: nil)]
        review.environment = review.params
        review.code = [Review.CodeChange(path: text, added: 1, deleted: nil)]
        var failed = GateResult(.command, text, isPassed: false, text)
        failed.lines = [text]
        review.gates = [failed]
        return review
    }

    @Test(arguments: [
        "<script>alert(1)</script>", "a & b < c > d \"e\" 'f'", "\u{202e}gnp.exe", "\u{1b}[2J", "two\nlines",
    ])
    func `no text out of a repository is markup in HTML`(text: String) throws {
        let html = ReviewHTML(ReviewPage(try review(text))).text
        #expect(!html.contains("<script>alert"))
        #expect(!html.unicodeScalars.contains { $0.value == 0x1b || $0.value == 0x202e })
        #expect(!html.contains("src=") && !html.contains("href="))
        let escaped = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;").replacing("'", with: "&#39;").replacing("\n", with: " ")
            .replacing("\u{202e}", with: "\u{fffd}").replacing("\u{1b}", with: "\u{fffd}")
        #expect(html.split(separator: escaped, omittingEmptySubsequences: false).count > 8)
    }

    @Test func `a text in Markdown stands in a code span that it cannot end`() throws {
        let texts = [
            ("plain", "`plain`"), ("a | b", "`a \\| b`"), ("`code`", "`` `code` ``"), ("a``b", "```a``b```"),
            ("two\nlines", "`two lines`"),
        ]
        for (text, span) in texts {
            let markdown = ReviewMarkdown(ReviewPage(try review(text)), of: try review(text)).text
            #expect(markdown.contains("| \(span) |"), "\(markdown)")
        }
    }

    @Test func `better and worse follow the direction, and nobody guesses without one`() {
        func verdict(_ old: Double?, _ new: Double?, _ direction: MetricDirection?) -> Review.Metric.Verdict? {
            Review.Metric(key: "x", old: old, new: new, direction: direction).verdict
        }
        #expect(verdict(1, 2, .higher) == .better)
        #expect(verdict(1, 2, .lower) == .worse)
        #expect(verdict(1, 1, nil) == .same)
        #expect(verdict(1, 2, nil) == nil)
        #expect(verdict(nil, 2, .higher) == nil)
        #expect(verdict(.nan, 2, .higher) == nil)
    }

    @Test(arguments: [
        ("val_loss", MetricDirection.lower), ("RMSE", .lower), ("test.auc", .higher), ("top-1 accuracy", .higher),
        ("recall@10", .higher), ("error_rate", .lower),
    ])
    func `well-known names tell which way is better`(name: String, direction: MetricDirection) {
        #expect(MetricDirection(wellKnown: name) == direction)
    }

    @Test(arguments: ["count", "mapping", "x", "epoch"])
    func `other names tell nothing`(name: String) { #expect(MetricDirection(wellKnown: name) == nil) }

    @Test func `numbers that differ are shown with as many digits as that takes`() {
        #expect(ReviewNumber.pair(0.5, 0.25) == ("0.5000", "0.2500"))
        #expect(ReviewNumber.pair(0.900001, 0.900002) == ("0.900001", "0.900002"))
        #expect(ReviewNumber.pair(nil, .nan) == ("", "NaN"))
    }

    @Test func `a page with many rows is cut and says so`() throws {
        var review = try review("x")
        review.code = (0..<200).map { Review.CodeChange(path: "f\($0)", added: 1, deleted: 1) }
        let section = try #require(ReviewPage(review).sections.first { $0.title == "Code" })
        #expect(section.rows.count == 50)
        #expect(section.note == "… and 150 more (--json lists all)")
        let markdown = ReviewMarkdown(ReviewPage(review), of: review).text
        #expect(markdown.utf8.count < 65_536)
    }
}
