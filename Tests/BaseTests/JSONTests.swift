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

    @Test func `numbers read as the nearest double, however they are written`() throws {
        var generator = SeededGenerator(seed: 2)
        var texts = [
            "0", "-0", "-0.0", "0.1", "1e5", "1.5E-7", "9007199254740993", "123456789012345678", "0.30000000000000004",
        ]
        for _ in 0..<3000 {
            let digits = (0..<Int.random(in: 1...20, using: &generator)).map { _ in
                String(Int.random(in: 0...9, using: &generator))
            }.joined()
            texts.append("1\(digits)")
            texts.append("0.\(digits)")
            texts.append("-7\(digits.prefix(8)).\(digits.dropFirst(3).prefix(9))0")
        }
        for text in texts {
            let value = try JSON.parse("[\(text)]").array?.first
            #expect(value?.double?.bitPattern == (text == "-0" ? 0.0 : Double(text))?.bitPattern, "\(text)")
            let isWhole = Int64(text) != nil
            if case .int = value { #expect(isWhole, "\(text)") } else { #expect(!isWhole, "\(text)") }
        }
    }
}
