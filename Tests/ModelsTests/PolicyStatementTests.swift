import Base
import GitKit
import Runs
import SystemPackage
import TestSupport
import Testing

@testable import Models

/// The statement inside a tag, and its chain.
struct StageStatementTests {
    private func strict() async throws -> PolicyRepository { try await PolicyRepository(stage: "{strict: true}") }

    @Test func `a strict stage takes a tag whose statement agrees with everything`() async throws {
        let it = try await strict()
        try await it.tag("m#prod#1", "-a", message: it.statement())
        #expect(try await it.codes() == [])
        try await it.tag("m#prod#2", "-a", message: "by hand")
        #expect(try await it.codes("m#prod#2") == ["no-statement"])
        try await it.tag("m#prod", "-a", message: it.statement())
        #expect(try await it.codes("m#prod") == ["statement-counter"])
    }

    @Test(arguments: [
        ("repo", "other"), ("repo", nil), ("model", "n"), ("stage", "staging"), ("counter", "2"), ("counter", nil),
        ("commit", "0123456789012345678901234567890123456789"), ("commit", nil), ("model-digest", "sha256:00"),
        ("model-digest", nil), ("version", "v1.0.0"),
    ])
    func `a strict stage refuses a statement that says something else, or nothing`(key: String, value: String?)
        async throws
    {
        let it = try await strict()
        try await it.tag("m#prod#1", "-a", message: it.statement([key: value]))
        #expect(try await it.codes() == ["statement-\(key)"])
    }

    @Test func `the version that a statement names must be registered on that commit`() async throws {
        let it = try await strict()
        try await it.tag("m@v1.0.0", "-a")
        try await it.tag("m#prod#1", "-a", message: it.statement(["version": "v1.0.0"]))
        #expect(try await it.codes() == [])
        try await it.tag("m@v1.0.0!", "-a")
        #expect(try await it.codes() == ["statement-version"])
    }

    @Test(arguments: [("2020-01-01", true), ("2020-01-01T00:00:00Z", true), ("2999-12-31", false), ("soon", true)])
    func `a statement holds until it expires, strict or not`(expires: String, isOver: Bool) async throws {
        let it = try await PolicyRepository(stage: "{}")
        try await it.tag("m#prod#1", "-a", message: it.statement(["expires": expires]))
        #expect(try await it.codes() == (isOver ? ["expired"] : []))
    }

    @Test func `a tag that was hidden or removed shows in the chain`() async throws {
        let it = try await strict()
        try await it.tag("m#prod#1", "-a", message: it.statement())
        let first = try await it.id("m#prod#1")
        try await it.tag("m#prod#2", "-a", message: it.statement(counter: 2, previous: first))
        let second = try await it.id("m#prod#2")
        try await it.tag("m#prod#4", "-a", message: it.statement(counter: 4, previous: second))
        #expect(try await it.codes("m#prod#2") == [])
        #expect(try await it.codes("m#prod#4") == [])
        try await it.sh("git tag -d 'm#prod#2'")
        #expect(try await it.codes("m#prod#4") == ["previous-gone"])
        // A tag that came between, from somebody who had not seen it.
        try await it.sh("git update-ref 'refs/tags/m#prod#2' \(second)")
        try await it.tag("m#prod#3", "-a", message: it.statement(counter: 3, previous: first))
        #expect(try await it.codes("m#prod#3") == ["statement-previous"])
        // A tag that takes the model out is one of the chain.
        try await it.tag("m#prod!#5", "-a")
        try await it.tag("m#prod#6", "-a", message: it.statement(counter: 6, previous: it.id("m#prod!#5")))
        #expect(try await it.codes("m#prod#6") == [])
        try await it.tag("m#prod#7", "-a", message: it.statement(counter: 7))
        #expect(try await it.codes("m#prod#7") == ["statement-previous"])
    }

    @Test func `the first counted tag of a stage names an uncounted one before it`() async throws {
        let it = try await strict()
        try await it.tag("m#prod", "-a", message: "by hand")
        try await it.tag("m#prod#1", "-a", message: it.statement(previous: it.id("m#prod")))
        #expect(try await it.codes() == [])
    }

    @Test func `a statement is read from the signed text, and a key that stands twice is not believed`() throws {
        let text = SignedText(
            Array("object x\n\nhi\n\ngit-ml-stage: 1\nrepo: a\nrepo: b\nstage: prod\n\nmodel: n\n".utf8))
        let statement = try #require(StageStatement(text))
        #expect(statement.stage == "prod")
        #expect(statement.repositoryID != "a" && statement.repositoryID != "b")
        #expect(statement.model == nil)
        #expect(StageStatement(SignedText(Array("git-ml-stage: 2\nrepo: a\n".utf8))) == nil)
        let signed = SignedText(
            Array("payload\n-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\ngit-ml-stage: 1\n".utf8))
        #expect(StageStatement(signed) == nil)
        #expect(signed.payload == Array("payload\n".utf8))
    }

    @Test(arguments: [
        "", "U1NIU0lH", "U1NIU0lHAAAAAf////8=", "AAAA", "U1NIU0lHAAAAAQAAAAA=", "U1NIU0lHAAAAAQAAAAIAAAAAAA==",
    ])
    func `bytes that are no SSH signature are told`(body: String) {
        let armour = "-----BEGIN SSH SIGNATURE-----\n\(body)\n-----END SSH SIGNATURE-----\n"
        #expect(SSHSignature(Array(armour.utf8)) == nil)
    }
}
