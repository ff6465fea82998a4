import Base
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct ParamsFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func edit(_ name: String, _ text: String?, _ pairs: (String, String)...) throws -> String {
        if let text { try directory.write(name, text) }
        _ = try ParamsFile(directory.path, declared: [name]).apply(pairs.map { (key: $0.0, value: $0.1) })
        return try Files.readText(directory.path.appending(name)) ?? ""
    }

    @Test func `YAML keeps its comments, order and style`() throws {
        let text = """
            # how fast
            lr: 0.1   # rate
            model: {depth: 3, kind: "gbm"}
            list:
              - 1
              - 'two'
            """
        let new = try edit(
            "params.yaml", text, ("lr", "1e-3"), ("model.depth", "8"), ("model.kind", "a, b"), ("list.1", "3"))
        #expect(
            new == """
                # how fast
                lr: 1e-3   # rate
                model: {depth: 8, kind: "a, b"}
                list:
                  - 1
                  - 3
                """)
    }

    @Test func `a new key is added, also to a file that is not there`() throws {
        #expect(try edit("params.yaml", "lr: 0.1", ("model.size", "xl")) == "lr: 0.1\nmodel:\n  size: xl\n")
        #expect(try edit("fresh.yaml", nil, ("seed", "7")) == "seed: 7\n")
    }

    @Test func `a key that is nearly there is a slip of the pen`() throws {
        #expect(throws: ParamsFailure.unknown(key: "lrr", file: "params.yaml", nearest: "lr")) {
            try edit("params.yaml", "lr: 0.1\n", ("lrr", "1"))
        }
    }

    @Test func `when one edit cannot be made none is`() throws {
        try directory.write("params.yaml", "lr: 0.1\nl: [1, 2]\n")
        #expect(throws: ParamsFailure.notSingle(key: "l", file: "params.yaml")) {
            _ = try ParamsFile(directory.path, declared: ["params.yaml"]).apply([("lr", "1"), ("l", "2")])
        }
        #expect(try Files.readText(directory.path.appending("params.yaml")) == "lr: 0.1\nl: [1, 2]\n")
    }

    @Test func `a value that YAML would take for something else is quoted`() throws {
        let new = try edit("params.yaml", "a: 1\nb: 2\nc: 3\n", ("a", "x: y"), ("b", "- z"), ("c", "#5"))
        let values = try ValueFile.params(ValueFile.read(Array(new.utf8), path: "params.yaml"))
        #expect(values == ["a": "x: y", "b": "- z", "c": "#5"])
    }

    @Test func `JSON and TOML are edited too`() throws {
        #expect(
            try edit("p.json", #"{"b": 1, "a": {"c": "x"}}"#, ("a.c", "y"), ("b", "2"))
                == "{\n  \"b\": 2,\n  \"a\": {\n    \"c\": \"y\"\n  }\n}\n")
        #expect(
            try edit("p.toml", "lr = 0.1 # rate\n[model]\nkind = \"a\"\n", ("lr", "0.2"), ("model.kind", "b"))
                == "lr = 0.2 # rate\n[model]\nkind = \"b\"\n")
    }
}
