import Base
import GitKit
import Runs
import SystemPackage
import TestSupport
import Testing

@testable import Models

struct ProjectTests {
    @Test(arguments: [
        ("version: 1\nmodel:\n  m: {path: a}\n", 2, "models"), ("version: 1\nmodels:\n  m: {pth: a}\n", 3, "path"),
        ("stages:\n  prod:\n    gates: []\n", 3, "gate"), ("data:\n  remot: x\n", 2, "remote"),
        ("stages:\n  prod:\n    deploy: {to: local, prot: 1}\n", 3, "port"),
    ])
    func `an unknown key names file, line and the nearest key`(text: String, line: Int, nearest: String) {
        let failure = #expect(throws: YAMLFailure.self) { try Project(text) }
        #expect(failure?.file == "ml.yaml")
        #expect(failure?.line == line)
        #expect(failure.map { "\($0) \($0.hints)" }?.contains(nearest) == true)
    }

    @Test(arguments: [
        ("version: one\n", 1), ("models: [a]\n", 1), ("models:\n  m: {path: [a]}\n", 2),
        ("stages:\n  prod: {strict: perhaps}\n", 2), ("stages:\n  prod:\n    gate:\n      - metrics.auc\n", 4),
        ("stages:\n  prod:\n    probe: {within: soon}\n", 3), ("models:\n  m: {path: ../x}\n", 2),
        ("models:\n  m: {path: /etc/passwd}\n", 2), ("models:\n  m: {path: a/.git/x}\n", 2),
        ("stages:\n  prod:\n    deploy: {to: local, port: 70000}\n", 3), ("models:\n  'a b': {path: x}\n", 2),
        ("version: 1\n\tx: 1\n", 2), ("models:\n  m:\n    path: x\n    package: {template: ../../x}\n", 4),
        ("stages:\n  prod:\n    probe: {path: '@example.com/'}\n", 3),
    ])
    func `a wrong type or value names its line`(text: String, line: Int) {
        let failure = #expect(throws: YAMLFailure.self) { try Project(text) }
        #expect(failure?.line == line, "\(String(describing: failure))")
    }

    @Test func `a newer version asks for a newer git-ml`() {
        let failure = #expect(throws: YAMLFailure.self) { try Project("version: 2\n") }
        #expect(failure?.hints == ["update git-ml"])
    }

    @Test func `a model's own stage is laid over the common one, lists whole`() throws {
        let project = try Project(
            """
            models:
              m:
                path: m.bin
                stages: {prod: {gate: ["metrics.auc >= 0.9"]}}
            stages:
              prod:
                gate: ["metrics.auc >= 0.5", "metrics.loss <= 1"]
                deploy: {to: local, port: 8080}
            """)
        let name = try #require(ModelName("m"))
        let stage = try #require(project.stage("prod", of: name))
        #expect(try stage.gates == [.expression(GateExpression.parse("metrics.auc >= 0.9"))])
        #expect(stage.deploy?.port == 8080)
    }

    @Test func `what this version cannot check is named, so that nothing is delivered unchecked`() throws {
        let project = try Project(
            "stages:\n  prod: {signers: keys, strict: true, approvals: 1, evidence: signed, deploy: {to: kubernetes}}\n"
        )
        #expect(
            project.stages["prod"]?.unsupported
                == ["deploy: to: kubernetes"])
    }
}

struct GateExpressionTests {
    private static func run(_ metrics: [String: Double], _ params: [String: String] = [:]) throws -> Run {
        var record = RunRecord(code: .emptyTree, source: .cli)
        record.series = metrics.mapValues { [MetricPoint(step: 0, time: record.started, value: $0)] }
        record.params = params
        return try #require(Run.fold(record.lines(store: NoContent()), on: .emptyTree).first)
    }

    private struct NoContent: KeptContent {
        func keep(_ bytes: [UInt8]) -> Digest { .of(bytes) }
        func keep(file: FilePath) throws -> (digest: Digest, size: Int64) { try Digest.of(file: file) }
    }

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
            Self.run(["auc": 0.9, "loss": 0.5, "nan": .nan], ["depth": "4"]),
            against: GateReferences(current: .run(Self.run(["loss": 0.5]))))
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
        let run = try Self.run(["auc": 0.9, "nan": .nan], ["kind": "rf"])
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
        #expect(try gate.evaluate(Self.run(["auc": 0.1])).isPassed)
        #expect(try !gate.evaluate(Self.run([:])).isPassed)
    }

    @Test(arguments: [
        "", "metrics.auc", "metrics.auc >=", ">= 1", "auc >= 1", "metrics. >= 1", "metrics.a >= 1 2", "metrics.a+ > 2",
        "$(id) > 1",
    ])
    func `a gate that cannot be read says why`(text: String) {
        let failure = #expect(throws: GateExpression.ParseFailure.self) { try GateExpression.parse(text) }
        #expect(failure?.hints.isEmpty == false)
    }
}
