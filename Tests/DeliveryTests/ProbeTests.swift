import Base
import TestSupport
import Testing

@testable import Delivery

struct GoldenRequestTests {
    @Test(arguments: [
        (#"{"predictions":[1,2.0]}"#, #"{"predictions":[1.0000000001,2],"more":1}"#, true),
        (#"{"predictions":[1,2]}"#, #"{"predictions":[1,3]}"#, false), (#"{"a":1}"#, #"{}"#, false),
        (#"[1]"#, #"[1,2]"#, false), (#"{"a":"x"}"#, #"{"a":"x"}"#, true), (#"{"a":"x"}"#, #"{"a":"y"}"#, false),
    ])
    func `an answer is compared number by number within the tolerance`(expected: String, actual: String, same: Bool)
        throws
    {
        let request = try GoldenRequest(
            JSON.parse(#"{"path":"/p","body":{},"expect":{"body":\#(expected),"tolerance":1e-6}}"#), path: "r.json")
        #expect((request.difference(try JSON.parse(actual)) == nil) == same)
    }

    @Test func `a golden request without a path is refused with its file`() {
        let failure = #expect(throws: Refusal.self) { try GoldenRequest(["body": 1], path: "r.json") }
        #expect(failure.map { "\($0)" }?.hasPrefix("r.json") == true)
    }

    @Test func `folder names of different models and stages never meet`() {
        let pairs = [("a", "b"), ("a.b", "c"), ("a", "b.c"), ("a/b", "c"), ("a_2fb", "c"), ("..", "x"), ("A", "b")]
        let names = pairs.map { LocalTarget.name($0.0, $0.1) }
        #expect(Set(names).count == pairs.count)
        #expect(names.allSatisfy { !$0.contains("/") && !$0.hasPrefix(".") })
    }
}
