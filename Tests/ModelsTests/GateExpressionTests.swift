import Base
import GitKit
import Runs
import SystemPackage
import TestSupport
import Testing

@testable import Models

/// Runs that gates judge.
enum TestRun {
    static func with(_ metrics: [String: Double], _ params: [String: String] = [:]) throws -> Run {
        var record = RunRecord(code: .emptyTree, source: .cli)
        record.series = metrics.mapValues { [MetricPoint(step: 0, time: record.started, value: $0)] }
        record.params = params
        return try #require(Run.fold(record.lines(store: NoContent()), on: .emptyTree).first)
    }

    private struct NoContent: KeptContent {
        func keep(_ bytes: [UInt8]) -> Digest { .of(bytes) }
        func keep(file: FilePath) throws -> (digest: Digest, size: Int64) { try Digest.of(file: file) }
    }
}

struct GateExpressionTests {
    @Test(arguments: [
        ("metrics.auc >= 0.9", true), ("metrics.auc > 0.9", false), ("metrics.auc - 0.1 >= 0.8", true),
        ("metrics.loss <= current.metrics.loss + 0.05", true), ("metrics.loss < current.metrics.loss", false),
        ("metrics.auc != 0.9", false), ("params.depth = 4", true), ("metrics.missing >= 0", false),
        ("metrics.nan >= 0", false), ("metrics.nan != 0", false), ("metrics.auc >= current.metrics.missing", false),
        ("metrics.auc+0.05 > 0.9", true), ("metrics.auc > 0.95 or params.depth = 4", true),
        ("metrics.missing > 1 or metrics.auc > 0.5", true), ("not metrics.missing > 1", false),
        ("not (metrics.nan > 1 and metrics.auc > 0)", false), ("params.depth in ('3', '4')", true),
    ])
    func `a gate compares the candidate with numbers and with what is served`(text: String, holds: Bool) throws {
        let result = try GateExpression.parse(text).evaluate(
            TestRun.with(["auc": 0.9, "loss": 0.5, "nan": .nan], ["depth": "4"]),
            against: GateReferences(current: .run(TestRun.with(["loss": 0.5]))))
        #expect(result.isPassed == holds, "\(result.line)")
    }

    @Test(arguments: [
        ("metrics.auc >= 0.95", "0.9 against 0.95"), ("metrics.missing > 1", "metrics.missing is missing"),
        ("metrics.nan > 1", "metrics.nan is NaN"),
        ("metrics.auc > 0.5 and metrics.missing > 1", "0.9 against 0.5, metrics.missing is missing"),
        ("metrics.auc > current.metrics.auc", "nothing is in the stage yet"),
        ("params.kind = 'gbm'", "“rf” against “gbm”"),
    ])
    func `a gate says which values it saw`(text: String, detail: String) throws {
        let run = try TestRun.with(["auc": 0.9, "nan": .nan], ["kind": "rf"])
        #expect(try GateExpression.parse(text).evaluate(run).detail == detail)
    }

    @Test(arguments: [
        "current.metrics.auc <= metrics.auc", "not metrics.auc < current.metrics.auc",
        "metrics.auc > 0 and not (metrics.auc < current.metrics.auc or metrics.auc > 1)",
    ])
    func `a comparison with what is served passes when nothing is, but not for a candidate without the metric`(
        text: String
    ) throws {
        let gate = try GateExpression.parse(text)
        #expect(try gate.evaluate(TestRun.with(["auc": 0.1])).isPassed)
        #expect(try !gate.evaluate(TestRun.with([:])).isPassed)
    }

    @Test(arguments: [
        "", "metrics.auc", "metrics.auc >=", ">= 1", "auc >= 1", "metrics. >= 1", "metrics.a >= 1 2", "metrics.a+ > 2",
        "$(id) > 1",
    ])
    func `a gate that cannot be read says why`(text: String) {
        let failure = #expect(throws: GateExpression.ParseFailure.self) { try GateExpression.parse(text) }
        #expect(failure?.hints.isEmpty == false)
    }

    /// Three registered versions, of which one has no run and one lacks `f1`.
    private func versions() throws -> GateReferences {
        GateReferences(versions: [
            ("v1.0.0", try TestRun.with(["auc": 0.8, "loss": 0.4])), ("v1.1.0", nil),
            ("v1.2.0", try TestRun.with(["auc": 0.9, "loss": 0.6, "f1": 0.5])),
        ])
    }

    @Test(arguments: [
        ("metrics.auc >= best.metrics.auc - 0.1", true, "0.85 against 0.8 (v1.2.0)"),
        ("metrics.auc >= best.metrics.auc", false, "0.85 against 0.9 (v1.2.0)"),
        ("best.metrics.auc <= metrics.auc", false, "0.9 against 0.85 (v1.2.0)"),
        ("not metrics.auc < best.metrics.auc", false, "0.85 against 0.9 (v1.2.0)"),
        ("metrics.loss <= best.metrics.loss", false, "0.5 against 0.4 (v1.0.0)"),
        ("metrics.loss < best.metrics.loss * 2", true, "0.5 against 0.8 (v1.0.0)"),
        ("-metrics.loss >= -best.metrics.loss", false, "-0.5 against -0.4 (v1.0.0)"),
        ("metrics.auc > best.metrics.f1", true, "0.85 against 0.5 (v1.2.0)"),
        ("metrics.auc > best.metrics.mcc", false, "none of 3 registered version(s) has metrics.mcc"),
        ("metrics.aug > best.metrics.auc", false, "metrics.aug is missing; did you mean metrics.auc?"),
    ])
    func `best is the registered version that is hardest to match, whichever way the comparison goes`(
        text: String, holds: Bool, detail: String
    ) throws {
        let run = try TestRun.with(["auc": 0.85, "loss": 0.5])
        let result = try GateExpression.parse(text).evaluate(run, against: versions())
        #expect(result.detail == detail)
        #expect(result.isPassed == holds)
    }

    @Test func `what compares with the best passes while no version is registered`() throws {
        let result = try GateExpression.parse("metrics.auc >= best.metrics.auc").evaluate(TestRun.with(["auc": 0]))
        #expect(result.isPassed)
        #expect(result.detail == "no version is registered yet")
    }

    @Test func `a stage whose run is not known fails what compares with it`() throws {
        let references = GateReferences(current: .unknown(reason: "it has no run"))
        let gate = try GateExpression.parse("metrics.auc >= current.metrics.auc")
        let result = try gate.evaluate(TestRun.with(["auc": 1]), against: references)
        #expect(!result.isPassed)
        #expect(result.detail == "it has no run")
    }

    @Test(arguments: [
        "metrics.auc = best.metrics.auc", "best.metrics.auc is null", "best.metrics.auc in (1, 2)",
        "params.kind = best.params.kind", "best.params.kind like 'a%'",
    ])
    func `best without a direction is refused`(text: String) {
        let failure = #expect(throws: GateExpression.ParseFailure.self) { try GateExpression.parse(text) }
        #expect(failure?.reason.contains("<, <=, > or >=") == true, "\(String(describing: failure))")
    }

    @Test(arguments: [
        ("metrics.auc >= 0.9", ["auc": MetricDirection.higher]), ("0.9 <= metrics.auc", ["auc": .higher]),
        ("metrics.loss < current.metrics.loss + 1", ["loss": .lower]), ("not metrics.loss > 1", ["loss": .lower]),
        ("1 - metrics.err > 0.9", ["err": .lower]),
        ("metrics.t / 1000 <= 2 and metrics.auc > 0", ["t": .lower, "auc": .higher]),
        ("metrics.x >= 0 and metrics.x <= 1", [:]), ("metrics.x = 1", [:]), ("metrics.a * metrics.b > 1", [:]),
        ("metrics.a * -2 > 1", ["a": .lower]),
    ])
    func `a gate shows which way a metric gets better`(text: String, directions: [String: MetricDirection]) throws {
        #expect(try GateExpression.parse(text).filter.directions == directions)
    }

    @Test func `a gate's numbers are in its result`() throws {
        let result = try GateExpression.parse("metrics.auc >= 0.9 and metrics.auc <= 1").evaluate(
            TestRun.with(["auc": 0.85]))
        let first = #""gate":"metrics.auc >= 0.9 and metrics.auc <= 1","kind":"expression","passed":false"#
        #expect(
            "\(result.json)"
                == "{\(first),\"values\":[{\"value\":0.85,\"limit\":0.9},{\"value\":0.85,\"limit\":1.0}],"
                + "\"detail\":\"0.85 against 0.9, 0.85 against 1.0\",\"lines\":[],\"log\":null,\"seconds\":null}")
    }
}

struct GateSettingsTests {
    private func gates(_ text: String) throws -> [StageSettings.Gate] {
        let lines = text.split(separator: "\n").map { "      " + $0 }.joined(separator: "\n")
        return try #require(Project("stages:\n  prod:\n    gate:\n\(lines)\n").stages["prod"]).gates
    }

    @Test func `a gate is an expression, a command with limits, or a table with its schema`() throws {
        let gates = try gates(
            """
            - metrics.auc > 0.5
            - {run: [pytest, -q], limits: {time: 90s, memory: 4GB}, junit: out/junit.xml, needs: [models/m.bin, data]}
            - {data: data/train.csv, schema: schemas/train.yaml}
            """)
        var command = StageSettings.Gate.Command(["pytest", "-q"])
        command.limits.time = .seconds(90)
        command.limits.memory = 4_000_000_000
        command.junit = "out/junit.xml"
        command.needs = ["models/m.bin", "data"]
        #expect(
            try gates == [
                .expression(GateExpression.parse("metrics.auc > 0.5")), .command(command),
                .data(.init(path: "data/train.csv", schema: "schemas/train.yaml")),
            ])
        #expect(
            gates.map(\.text) == ["metrics.auc > 0.5", "run: pytest -q", "data: data/train.csv (schemas/train.yaml)"])
    }

    @Test(arguments: [
        "- metrics.auc >", "- {run: []}", "- {run: pytest}", "- {run: ['']}", "- {data: a.csv}", "- {schema: a.yaml}",
        "- {data: ../a.csv, schema: s.yaml}", "- {data: a.csv, schema: /s.yaml}",
        "- {run: [a], data: a.csv, schema: s.yaml}",
        "- {run: [a], limits: {time: soon}}", "- {run: [a], limits: {time: 0s}}",
        "- {run: [a], limits: {memory: lots}}",
        "- {run: [a], limits: {memory: 5}}", "- {run: [a], limits: {tme: 1s}}", "- {run: [a], junit: ../x}",
        "- {data: a.csv, schema: s.yaml, limits: {time: 1s}}", "- {run: [a], shema: s}", "- []", "- {}",
    ])
    func `a gate that cannot be read names its line`(text: String) {
        let failure = #expect(throws: YAMLFailure.self) { try gates(text) }
        #expect(failure?.line == 4)
    }

    @Test func `evidence is one of three words`() throws {
        #expect(try Project("stages: {prod: {evidence: rerun}}\n").stages["prod"]?.evidence == .rerun)
        #expect(throws: YAMLFailure.self) { try Project("stages: {prod: {evidence: trust}}\n") }
    }
}
