import TestSupport
import Testing

@testable import Base

struct TextTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"), (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"), (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ])
    func `a time is written in UTC with microseconds and reads back`(microseconds: Int64, text: String) {
        let time = Timestamp(microseconds: microseconds)
        #expect(time.description == text)
        #expect(Timestamp(text) == time)
    }

    @Test(arguments: ["", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01", "yesterday"])
    func `a text that is no time is refused`(text: String) { #expect(Timestamp(text) == nil) }

    @Test(arguments: ["plain", "", "a b", "it's", "$(id)", "`id`", "a\nb", "*", "--x=y", "é;rm"])
    func `a quoted word reaches a program as it was`(word: String) async throws {
        let result = try await ChildProcess.check("/bin/sh", ["-c", "printf %s \(shellQuoted(word))"])
        #expect(result.text == word)
    }

    @Test func `a program that is not there is named`() async {
        await #expect {
            try await ChildProcess.check("git-ml-no-such-program", [])
        } throws: { error in
            "\(error)" == "the program “git-ml-no-such-program” is not installed, or not on the PATH"
        }
    }

    @Test func `an unknown key names its line and the nearest known key`() throws {
        let node = try YAMLNode.parse("version: 1\nstagse: {}\n", file: "ml.yaml")
        let failure = #expect(throws: YAMLFailure.self) { try node.fields(["version", "stages"]) }
        #expect(failure?.line == 2)
        #expect(failure?.file == "ml.yaml")
        #expect(failure.map { "\($0)\($0.hints)" }?.contains("stages") == true)
    }

    @Test func `keys that begin with x- are free`() throws {
        let node = try YAMLNode.parse("x-anything: [1]\n", file: "ml.yaml")
        #expect(try node.fields([]).isEmpty)
    }

    @Test(arguments: [("50MB", 50_000_000), ("4GB", 4_000_000_000), ("10", 10), ("1KiB", 1024)] as [(String, Int64)])
    func `a size is read in the units that people write`(text: String, bytes: Int64) {
        #expect(ByteCount.parse(text) == bytes)
    }

    @Test func `ids made later sort later`() {
        let ids = (0..<50).map { UUIDv7(at: Timestamp(microseconds: 1_700_000_000_000_000 + $0 * 1000)).description }
        #expect(ids == ids.sorted())
        #expect(Set(ids.map(\.count)) == [32])
    }
}
