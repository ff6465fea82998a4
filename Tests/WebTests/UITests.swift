import Base
import GitKit
import Runs
import SystemPackage
import TestSupport
import Testing

@testable import Web

struct HTMLTests {
    @Test func `what is put in is text, wherever it is put in`() {
        let hostile = #"<script>alert("x")</script>&'"#
        let piece = HTML("p", ["title": hostile, "lang": nil]) {
            hostile
            HTML("b") { "bold" }
        }
        let escaped = "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;"
        #expect(piece.source == "<p title=\"\(escaped)\">\(escaped)<b>bold</b></p>")
    }

    @Test func `what turns a text's direction or hides in it is shown`() {
        #expect(HTML.text("a\u{202e}b\u{0}c\nd").source == "a\u{fffd}b\u{fffd}c d")
        #expect(HTML.lines("a\tb\n<c>\u{202e}").source == "a\tb\n&lt;c&gt;\u{fffd}")
    }

    @Test func `what was written for a terminal loses its colours, and lines that were written over`() {
        let text = "\u{1b}[1;31mred\u{1b}[0m\n 10%\r 50%\r100%\r\nend\u{1b}"
        #expect(TerminalText.plain(text) == "red\n100%\nend")
    }

    @Test(
        arguments: [
            ("a.png", "image"), ("a.SVG", "image"), ("a.html", "page"), ("b/a.csv", "csv"), ("a.py", "text"),
            ("a.bin", nil),
            ("png", nil), ("a.js", nil),
        ] as [(String, String?)])
    func `a file is previewed by its ending, and nothing that is not known`(path: String, kind: String?) {
        #expect(Preview(path: path, size: 10)?.kind == kind)
        #expect(Preview(path: path, size: 1 << 30) == nil)
    }

    @Test func `addresses of hostile names stay in their part of the site`() {
        let site = Site(title: "x", isStatic: false)
        #expect(site.address(.model("../<a>?#")) == "/models/..%2F%3Ca%3E%3F%23")
        #expect(Site.file(.model("a/../b")) == "models/a~2F..~2Fb.html")
        #expect(Site.file(.model("a~2F")) == "models/a~7E2F.html")
    }
}

struct CurveSamplingTests {
    private func curve(_ values: [Double]) -> [MetricPoint] {
        values.enumerated().map {
            MetricPoint(step: Int64($0), time: Timestamp(seconds: Int64($0)), value: $1)
        }
    }

    @Test(arguments: [(3, 1000), (1000, 1000), (1001, 1000), (100_000, 100), (77, 10), (9, 5)])
    func `few points stay as they are, of many both ends and in their order`(count: Int, limit: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let points = curve((0..<count).map { _ in Double.random(in: -1...1, using: &generator) })
        let kept = CurveSampling.sample(points, count: limit)
        #expect(kept.count <= limit)
        #expect(count > limit || kept == points)
        #expect(kept.first == points.first && kept.last == points.last)
        #expect(zip(kept, kept.dropFirst()).allSatisfy { $0.step < $1.step })
        #expect(kept.map(\.value).max() == points.map(\.value).max() || count <= limit)
    }

    @Test func `a single peak among a million points is kept`() {
        var values = [Double](repeating: 0, count: 1_000_000)
        values[654_321] = 1
        values[123_456] = -1
        let kept = CurveSampling.sample(curve(values), count: 500)
        #expect(kept.contains { $0.step == 654_321 } && kept.contains { $0.step == 123_456 })
    }

    @Test func `what is no number neither hides a peak nor breaks the answer`() {
        var values = [Double](repeating: .nan, count: 100)
        values[50] = 3
        values[51] = .infinity
        let json = CurveSampling.json(curve(values), started: Timestamp(seconds: 0), count: 20)
        let kept = json["values"]?.array ?? []
        #expect(kept.contains(.number(3)))
        #expect(kept.allSatisfy { $0 == .null || $0 == .number(3) })
        #expect(json["count"]?.int == 100)
    }
}

/// The table of experiments, from 250 recorded runs.
struct RunsRequestTests {
    private let store: RunStore
    private let site = Site(title: "x", isStatic: false)

    init() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        let repository = try Repository(sandbox.path.appending("work"))
        let head = try #require(try repository.head())
        var lines: [String] = []
        for i in 0..<250 {
            var record = RunRecord(
                run: UUIDv7(at: Timestamp(seconds: 1_700_000_000 + Int64(i))),
                started: Timestamp(seconds: 1_700_000_000 + Int64(i)), code: head, source: .cli)
            record.name = "run-\(i)"
            record.params = ["lr": "0.\(i % 7)", "same": "1"]
            record.series = ["auc": [MetricPoint(step: 0, time: record.started, value: Double(i % 100) / 100)]]
            record.end = RunRecord.End(.finished)
            lines += try record.lines(store: NoContent())
        }
        try RunLog(repository).add([head: lines], message: "runs")
        store = try RunStore(repository)
    }

    private struct NoContent: KeptContent {
        func keep(_ bytes: [UInt8]) throws -> Digest { Digest.of(bytes) }
        func keep(file: FilePath) throws -> (digest: Digest, size: Int64) { try Digest.of(file: file) }
    }

    private func answer(_ arguments: [String: String]) throws -> JSON {
        try RunsRequest(arguments.mapValues { [$0] }).json(store, site)
    }

    private func labels(_ json: JSON) -> [String] { (json["rows"]?.array ?? []).compactMap { $0["label"]?.string } }

    @Test func `pages joined are the whole table, each run once, whatever the order`() throws {
        for sort in ["", "metrics.auc", "params.lr", "name"] {
            var all: [String] = []
            for offset in stride(from: 0, to: 300, by: 60) {
                let json = try answer(["offset": "\(offset)", "limit": "60", "sort": sort, "desc": "1"])
                #expect(json["total"]?.int == 250)
                all += labels(json)
            }
            #expect(all.count == 250 && Set(all).count == 250)
            if sort.isEmpty { #expect(all.first == "run-249") }
        }
    }

    @Test func `a filter counts what it chooses, and only parameters that differ are columns`() throws {
        let json = try answer(["filter": "metrics.auc >= 0.98 and params.lr = '0.0'", "limit": "1"])
        let chosen = (0..<250).filter { $0 % 100 >= 98 && $0 % 7 == 0 }
        #expect(json["total"]?.int == Int64(chosen.count))
        let columns = try answer([:])["columns"]?.array?.compactMap { $0["name"]?.string } ?? []
        #expect(columns.contains("params.lr") && !columns.contains("params.same") && columns.contains("metrics.auc"))
    }

    @Test func `the best is that of all runs that are chosen, not of those in sight`() throws {
        let request = try RunsRequest([
            "columns": ["metrics.auc,params.lr"], "filter": ["metrics.auc < 0.5"], "limit": ["1"],
        ])
        #expect(try request.best(store) == .sorted(["metrics.auc": JSON.number(0.49)]))
    }

    @Test func `a filter that cannot be read says where`() throws {
        let failure = #expect(throws: FilterFailure.self) { _ = try RunsRequest(["filter": ["metrics.auc >> 1"]]) }
        #expect(failure?.column == 13)
    }
}
