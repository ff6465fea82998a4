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
            "stages:\n  prod: {signers: keys, strict: true, approvals: 1, nightly: '0 3 * * *', deploy: {to: nomad}}\n"
        )
        #expect(project.stages["prod"]?.unsupported == ["nightly", "deploy: to: nomad"])
    }
}
