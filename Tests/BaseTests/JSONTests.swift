import TestSupport
import Testing

@testable import Base

struct JSONTests {
    @Test func `an object is written in the order it was given`() {
        let json: JSON = ["t": "x", "b": [1, 2.5, true, nil], "a": [:]]
        #expect(json.description == #"{"t":"x","b":[1,2.5,true,null],"a":{}}"#)
    }

    @Test func `canonical text sorts keys by their bytes at every level`() {
        let json: JSON = ["é": 1, "z": ["b": 1, "a": 2], "Z": 2]
        #expect(json.canonical == #"{"Z":2,"z":{"a":2,"b":1},"é":1}"#)
    }

    @Test func `only what must be escaped is escaped`() {
        #expect(JSON.string("a/b\"\\\n\u{1}é").description == "\"a/b\\\"\\\\\\n\\u0001é\"")
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\":1,}", "01", "1.", "nul", "\"\u{1}\"", "\"\\x\"", "\"\\ud800\"", "[1] 2", "{a:1}",
        "'a'", "+1",
    ])
    func `text that is not JSON is refused`(text: String) {
        #expect(throws: (any Error).self) { try JSON.parse(text) }
    }

    @Test func `a million brackets are refused and do not overflow the stack`() {
        #expect(throws: (any Error).self) { try JSON.parse(String(repeating: "[", count: 1_000_000)) }
    }

    @Test func `whatever is written reads back the same`() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<300 {
            let json = Self.random(&generator, depth: 4)
            #expect(try JSON.parse(json.description) == json)
            #expect(try JSON.parse(json.pretty) == json)
        }
    }

    private static func random(_ generator: inout SeededGenerator, depth: Int) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .int(.random(in: .min ... .max, using: &generator))
        case 3: return .double(Double.random(in: -1e9...1e9, using: &generator) + 0.5)
        case 4:
            let scalars = (0..<5).map { _ in UnicodeScalar(UInt32.random(in: 0..<0xd800, using: &generator)) ?? "x" }
            return .string(String(String.UnicodeScalarView(scalars)))
        case 5: return .array((0..<3).map { _ in random(&generator, depth: depth - 1) })
        default: return .object((0..<3).map { JSON.Member("k\($0)", random(&generator, depth: depth - 1)) })
        }
    }

    @Test func `NaN is read as Python's json module writes it`() throws {
        #expect(try JSON.parse(#"{"auc": NaN, "loss": -Infinity}"#)["auc"]?.double?.isNaN == true)
    }

    @Test func `numbers that JSON lacks are strings and are read as numbers`() {
        #expect(JSON.number(.nan).description == #""NaN""#)
        #expect(JSON.number(-.infinity).double == -.infinity)
    }
}
