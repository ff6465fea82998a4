import Base
import Testing

@testable import Delivery
@testable import GitKit

/// What the event lines of a delivery come to.
@Suite struct DeliveryFoldTests {
    private func line(_ second: Int, _ more: String) -> String {
        "{\"t\":\"2026-01-01T00:00:0\(second).000000Z\",\"delivery\":\"d\",\(more)}"
    }

    private func step(_ second: Int, _ name: String, fence: Int, _ status: String = "succeeded") -> String {
        line(second, #""ev":"step","step":"\#(name)","try":1,"status":"\#(status)","fence":\#(fence)"#)
    }

    private func fold(_ lines: [String]) -> DeliveryRecord? { DeliveryLog.fold(lines, on: .emptyTree).first }

    @Test func `what a runner writes after it has lost its claim counts for nothing`() throws {
        let record = try #require(
            fold([
                step(1, "claim", fence: 1), step(2, "claim", fence: 2), step(3, "deploy", fence: 1),
                line(4, #""ev":"end","status":"succeeded","fence":1"#),
            ]))
        #expect(record.steps.map(\.name) == ["claim", "claim"])
        #expect(record.ended == nil && record.status == "running")
    }

    @Test func `a retry reopens a delivery, and makes again what it names and what comes after`() throws {
        let ended = [
            step(1, "gates", fence: 1), step(2, "package", fence: 1), step(3, "deploy", fence: 1, "failed"),
            line(4, #""ev":"end","status":"failed","reason":"x","fence":1"#),
        ]
        let plain = try #require(fold(ended + [line(5, #""ev":"retry","by":"ann","from":null"#)]))
        #expect(plain.ended == nil && plain.reason == nil && plain.finished.keys.sorted() == ["gates", "package"])
        let named = try #require(fold(ended + [line(5, #""ev":"retry","by":"ann","from":"package""#)]))
        #expect(named.finished.keys.sorted() == ["gates"])
    }

    @Test func `lines of older versions, without fences, still tell how a delivery ended`() throws {
        let record = try #require(
            fold([
                line(1, #""ev":"step","step":"verify","try":1,"status":"succeeded","fence":null"#),
                line(2, #""ev":"end","status":"succeeded","fence":null,"target":"here""#),
            ]))
        #expect(record.status == "succeeded" && record.target == "here")
    }

    @Test func `secrets of the environment are masked in every form`() {
        let mask = SecretMask(["API_TOKEN": "p&ss\"word", "PWD": "/work/project"])
        let text = mask.masked(#"p&ss"word cCZzcyJ3b3Jk p%26ss%22word p&ss\"word /work/project https://u:hidden9@host"#)
        #expect(text == "*** *** *** *** /work/project https://u:***@host")
    }
}
