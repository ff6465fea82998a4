import Base
import GitKit
import Runs
import SystemPackage
import TestSupport
import Testing

@testable import Models

struct PolicyApprovalTests {
    private func approve(
        _ it: PolicyRepository, by: String, stage: String? = "prod", key: String? = nil, repo: String = "here",
        change: (inout Approval) -> Void = { _ in }
    ) async throws {
        let repository = try it.repository
        let model = try #require(ModelName("m"))
        var approval = Approval(model, try repository.resolve("HEAD"), stage: stage, by: by, message: nil)
        if let key {
            try await it.sh("git config user.signingKey \"$PWD/../\(key)\"")
            approval.signature = try await GitSigning(repository).sign(approval.signedText(repositoryID: repo))
        }
        change(&approval)
        try ApprovalLog(repository).add(approval)
    }

    private func count(_ it: PolicyRepository) async throws -> String? {
        try await it.verdict().refusals.first.map { "\($0)" }
    }

    @Test func `so many people as policy asks for approve, each counted once`() async throws {
        let it = try await PolicyRepository(stage: "{approvals: 2}")
        try await it.tag("m#prod#1", "-a")
        #expect(try await count(it) == "it has 0 of 2 approvals")
        try await approve(it, by: "bob@example.com")
        try await approve(it, by: "Bob@example.com")
        try await approve(it, by: "eve@example.com", stage: "staging")
        #expect(try await count(it) == "it has 1 of 2 approvals")
        // One for whatever stage counts for this one.
        try await approve(it, by: "cyd@example.com", stage: nil)
        #expect(try await count(it) == nil)
    }

    @Test func `who wrote the commit, trained the model or made the tag does not approve it`() async throws {
        let it = try await PolicyRepository(stage: "{approvals: 1}")
        try await it.sh(
            """
            echo 2 > models/m.bin; git add -A
            git -c user.name=wren -c user.email=wren@example.com commit -qm model
            git -c user.name=tess -c user.email=tess@example.com tag -a -m x 'm#prod#1'
            """)
        let repository = try it.repository
        let head = try repository.resolve("HEAD")
        var record = RunRecord(code: head, source: .cli)
        record.user = "rob"
        record.outputs = [
            RunItem(
                path: "models/m.bin", digest: Digest.of("2\n"), size: 2, role: .model)
        ]
        try RunLog(repository).add([head: record.lines(store: NoContent())], message: "runs")
        for who in ["wren@example.com", "tess@example.com", "rob@elsewhere.example.com"] {
            try await approve(it, by: who)
        }
        #expect(
            try await count(it)
                == "it has 0 of 1 approvals (not counted: wren@example.com wrote the commit; tess@example.com made the tag;"
                + " rob@elsewhere.example.com trained it)")
        try await approve(it, by: "una@example.com")
        #expect(try await count(it) == nil)
    }

    private struct NoContent: KeptContent {
        func keep(_ bytes: [UInt8]) -> Digest { .of(bytes) }
        func keep(file: FilePath) throws -> (digest: Digest, size: Int64) { try Digest.of(file: file) }
    }

    private func signed() async throws -> PolicyRepository {
        let it = try await PolicyRepository(stage: "{signers: .ml/allowed_signers, approvals: 1}")
        try await it.signers("lead@example.com $lead\nsecond@example.com $second")
        try await it.tag("m#prod#1")
        return it
    }

    @Test func `where tags are signed, approvals are, by another key than the tag's`() async throws {
        let it = try await signed()
        try await approve(it, by: "second@example.com")
        #expect(
            try await count(it) == "it has 0 of 1 approvals (not counted: second@example.com: it is not signed)")
        // Who signs counts, whatever the line says of its author.
        try await approve(it, by: "boss@example.com", key: "lead")
        #expect(try await count(it)?.contains("boss@example.com signed the tag") == true)
        try await approve(it, by: "boss@example.com", key: "stranger")
        #expect(try await count(it)?.contains("does not name") == true)
        try await approve(it, by: "second@example.com", key: "second")
        #expect(try await count(it) == nil)
    }

    @Test func `an approval of another repository, or one that was changed after it was signed, does not count`()
        async throws
    {
        let it = try await signed()
        try await approve(it, by: "second@example.com", key: "second", repo: "elsewhere")
        #expect(try await count(it)?.contains("is over something else") == true)
        let head = try it.repository.resolve("HEAD")
        let model = try #require(ModelName("m"))
        let other = Approval(model, head, stage: "staging", by: "second@example.com", message: nil)
        let signature = try await GitSigning(it.repository).sign(other.signedText(repositoryID: "here"))
        try await approve(it, by: "second@example.com") { $0.signature = signature }
        try await approve(it, by: "second@example.com") { $0.signature = "-----BEGIN SSH SIGNATURE-----\nx\n" }
        let reason = try await count(it)
        #expect(reason?.hasPrefix("it has 0 of 1 approvals") == true, "\(reason ?? "")")
    }

    @Test func `the event line is as the format says, and reads back`() throws {
        let model = try #require(ModelName("churn"))
        let commit = try #require(ObjectID("0123456789012345678901234567890123456789"))
        var approval = Approval(
            model, commit, stage: "prod", by: "lead@example.com", message: "fine",
            time: try #require(Timestamp("2026-11-23T15:04:05.123456Z")))
        approval.signature = "s"
        #expect(
            approval.json.description
                == #"{"t":"2026-11-23T15:04:05.123456Z","ev":"approve","model":"churn","stage":"prod","commit":"0123456789012345678901234567890123456789","by":"lead@example.com","message":"fine","signature":"s"}"#
        )
        #expect(Approval(approval.json.description, on: commit) == approval)
        // A line that was copied to another commit approves nothing there.
        let other = try #require(ObjectID("1123456789012345678901234567890123456789"))
        #expect(Approval(approval.json.description, on: other) == nil)
        #expect(
            String(decoding: approval.signedText(repositoryID: "r"), as: UTF8.self)
                == "git-ml-approve: 1\nrepo: r\n\n"
                + approval.json.description.replacing(#","signature":"s""#, with: "") + "\n")
    }

    @Test func `signing without a key, or with one that is not there, says what to set`() async throws {
        let it = try await PolicyRepository()
        for line in [
            "git config --unset user.signingKey", "git config user.signingKey /nowhere", "git config gpg.format x509",
        ] {
            try await it.sh(line)
            await #expect(throws: SigningFailure.self) { try await GitSigning(it.repository).sign([1]) }
        }
    }
}
