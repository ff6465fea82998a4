import Base
import Testing

@testable import Web

struct MLflowFilterTests {
    @Test(arguments: [
        ("metrics.loss < 1 and params.lr='0.1'", #"metrics."loss" < 1.0 and params."lr" = '0.1'"#),
        ("metric.`val loss` >= -1e3", #"metrics."val loss" >= -1000.0"#),
        (#"tags."a.b" LIKE 'x%' AND tag.c ILIKE '%Y'"#, #"tags."a.b" like 'x%' and tags."c" ilike '%Y'"#),
        ("params.x IS NULL and params.y is not null", #"params."x" is null and params."y" is not null"#),
        ("attributes.run_id NOT IN ('a', \"b\")", "run not in ('a', 'b')"),
        ("status = 'FINISHED' AND start_time > 5", "status = 'FINISHED' and started > 5.0"),
        ("tags.mlflow.parentRunId = 'it''s'", "parent = 'it''s'"),
        ("tags.mlflow.runName != 'a'", "name != 'a'"),
        ("tags.t LIKE '%\"path\"%:%\"t.json\"%'", #"tags."t" like '%"path"%:%"t.json"%'"#),
    ])
    func `a filter of runs says the same in the language of Runs`(text: String, expected: String) throws {
        #expect(try MLflowFilter(text).runsText == expected)
    }

    @Test func `datasets and places are asked for apart`() throws {
        let filter = try MLflowFilter("dataset.name = 'toy' and attributes.artifact_uri LIKE '%a%' and params.a = '1'")
        #expect(try filter.runsText == #"params."a" = '1'"#)
        #expect(filter.extra.map(\.key) == ["name", "artifact_uri"])
    }

    @Test(arguments: [
        "metrics.a > 1 OR metrics.b > 2", "metrics.a", "metrics.a >", "metrics.a > 'x'", "params.a = 1", "foo.a = 'b'",
        "params.a = 'b", "params.a IN ('a'", "attributes.nonsense = 'a'", "(metrics.a > 1)", "params.a NOT LIKE 'a'",
    ])
    func `what MLflow refuses is refused as a parameter's value`(text: String) {
        let failure = #expect(throws: MLflowFailure.self) { try MLflowFilter(text).runsText }
        #expect(failure?.code == .invalid)
    }

    @Test(arguments: [
        ("abc", "a%", true), ("abc", "%c", true), ("abc", "a_c", true), ("abc", "b%", false), ("", "%", true),
        ("aXbXc", "a%X_", true), ("a", "", false), ("", "", true),
    ])
    func `LIKE knows per cent and underscore`(text: String, pattern: String, holds: Bool) {
        #expect(MLflowFilter.Comparison.like(text, pattern) == holds)
    }

    @Test func `a page token stands for its offset, and another text for none`() throws {
        #expect(try PageToken.offset(PageToken.text(7)) == 7)
        #expect(try PageToken.offset(nil) == 0)
        #expect(throws: MLflowFailure.self) { try PageToken.offset("???") }
    }
}

struct NamesTests {
    @Test(arguments: ["a", "a/b", "val loss", "a.b-c:d", "é", "a1"])
    func `MLflow's keys are taken`(key: String) throws {
        try Names.check(key, path: "key", what: "key")
    }

    @Test(arguments: ["/a", "a/../b", "..", ".", "a//b", "a/", "a$b", "a\nb", "", String(repeating: "x", count: 251)])
    func `keys that MLflow refuses are refused`(key: String) {
        #expect(throws: MLflowFailure.self) { try Names.check(key, path: "key", what: "key") }
    }

    @Test(arguments: ["../x", "a/../../b", "/etc/passwd", "a/./b", "a\\b", "a//b", "..", "a\u{0}b"])
    func `no path of an artifact leaves its folder`(path: String) {
        let failure = #expect(throws: MLflowFailure.self) { try Names.artifactPath(path) }
        #expect(failure?.message == "Invalid path")
    }

    @Test(arguments: [
        ("1/abc/artifacts/a/b.txt", Artifacts.Place.run("abc", path: "a/b.txt")),
        ("1/abc/artifacts", .run("abc", path: "")),
        ("1/models/m-1/artifacts/x+y.png", .loggedModel("m-1", path: "x+y.png")),
        ("versions/churn/3/MLmodel", .version("churn", 3, path: "MLmodel")),
    ])
    func `a path of the artifact proxy names its place`(text: String, place: Artifacts.Place) throws {
        #expect(try Artifacts.Place(text) == place)
    }

    @Test(arguments: [
        ("bytes=0-3", FileAnswer.Part.part(0..<4)), ("bytes=4-", .part(4..<10)), ("bytes=-3", .part(7..<10)),
        ("bytes=8-99", .part(8..<10)), ("bytes=10-", .none), ("bytes=-0", .none), ("bytes=3-1", .whole),
        ("bytes=0-1,4-5", .whole), ("items=0-1", .whole), ("bytes=-", .whole),
    ])
    func `a range is the bytes that it names`(text: String, part: FileAnswer.Part) {
        #expect(FileAnswer.range(text, size: 10) == part)
    }
}
