import Base
import GitKit
import TestSupport
import Testing

@testable import Runs

struct RunTests {
    private static let commit = ObjectID.emptyTree
    private static func line(_ t: Int, _ rest: String) -> String {
        #"{"t":"2026-11-24T10:00:00.00000\#(t)Z","run":"0193590a6b3d7c21a8f04d1e2b6c9f10",\#(rest)}"#
    }
    private static let lines = [
        line(1, #""ev":"start","name":"gbm","user":"ann","source":"cli","env":{"python":"3.12"}"#),
        line(2, #""ev":"params","params":{"lr":"0.1","depth":"4"}"#),
        line(3, #""ev":"params","params":{"lr":"0.2"}"#),
        line(4, #""ev":"metrics","metrics":{"auc":{"last":0.86,"step":9,"min":0.71,"max":0.9,"count":10}}"#),
        line(5, #""ev":"end","status":"finished","seconds":12.5"#),
    ]

    @Test func `state is the fold of the set, whatever the order of its lines`() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<20 {
            let runs = Run.fold(Self.lines.shuffled(using: &generator), on: Self.commit)
            #expect(runs.count == 1)
            #expect(runs.first?.params == ["lr": "0.2", "depth": "4"])
            #expect(runs.first?.values == ["auc": 0.86])
            #expect(runs.first?.status == "finished")
            #expect(runs.first?.seconds == 12.5)
        }
    }

    @Test(arguments: [
        "", "not json", "[]", "{}", #"{"t":"x","run":"y","ev":"z"}"#, line(6, #""ev":"from-the-future","x":1"#),
    ])
    func `a line that says nothing we know changes nothing`(line: String) {
        let runs = Run.fold(Self.lines + [line], on: Self.commit)
        #expect(runs.map(\.params) == [["lr": "0.2", "depth": "4"]])
    }

    @Test func `delete hides and a later restore shows again`() {
        let deleted = Run.fold(Self.lines + [Self.line(6, #""ev":"delete""#)], on: Self.commit)
        #expect(deleted.first?.isDeleted == true)
        let restored = Run.fold(
            Self.lines + [Self.line(6, #""ev":"delete""#), Self.line(7, #""ev":"restore""#)], on: Self.commit)
        #expect(restored.first?.isDeleted == false)
    }

    @Test func `event lines have the bytes of the format`() throws {
        let time = Timestamp(seconds: 1_700_000_000)
        let run = try #require(UUIDv7("0193590a6b3d7c21a8f04d1e2b6c9f10"))
        var events = RunEvents(run: run, at: time)
        events.params(["model.depth": "4", "lr": "0.1"])
        events.metrics([
            "auc": MetricSummary(
                last: .nan, at: Timestamp(microseconds: time.microseconds + 1), min: .nan, max: .nan)
        ])
        events.outputs([RunItem(path: "m.joblib", digest: .of("abc"), size: 3, role: .model)])
        let head = { (n: Int) in
            #"{"t":"2023-11-14T22:13:20.00000\#(n)Z","run":"0193590a6b3d7c21a8f04d1e2b6c9f10","ev":"#
        }
        let oid = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(
            events.lines == [
                head(0) + #""params","params":{"lr":"0.1","model.depth":"4"}}"#,
                head(1) + #""metrics","metrics":{"auc":{"last":"NaN","step":0,"at":"2023-11-14T22:13:20.000001Z","#
                    + #""min":"NaN","max":"NaN","first_step":0,"count":1}}}"#,
                head(2) + #""outputs","items":[{"path":"m.joblib","oid":"\#(oid)","size":3,"role":"model"}]}"#,
            ])
    }

    @Test(arguments: [
        ("params.yaml", "seed: 7\nforest: {depth: 4, sizes: [1, 2]}\nname: x\n"),
        ("params.json", #"{"seed":7,"forest":{"depth":4,"sizes":[1,2]},"name":"x"}"#),
        ("params.toml", "seed = 7\nname = \"x\"\n[forest]\ndepth = 4\nsizes = [1, 2]\n"),
    ])
    func `nested values become dotted keys in every format`(path: String, text: String) throws {
        let values = ValueFile.params(try ValueFile.read(Array(text.utf8), path: path))
        #expect(
            values == ["seed": "7", "forest.depth": "4", "forest.sizes.0": "1", "forest.sizes.1": "2", "name": "x"])
    }

    @Test(arguments: [("a.json", "{"), ("a.yaml", "a: ["), ("a.toml", "= 1"), ("a.json", "[1]"), ("a.yaml", "7")])
    func `a file that holds no keys and values is named`(path: String, text: String) {
        let failure = #expect(throws: (any Error).self) { try ValueFile.read(Array(text.utf8), path: path) }
        #expect(failure.map { "\($0)" }?.hasPrefix(path) == true)
    }
}
