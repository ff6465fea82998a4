import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Runs

/// Case D-44.
struct RecordCheckTests {
    @Test func `two beginnings or two values under one id are found, copies on other commits are not`() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        let ids = (1...3).map { "0193590a6b3d7c21a8f04d1e2b6c9f1\($0)" }
        func note(_ lines: [String]) async throws {
            try sandbox.directory.write("work/lines", lines.map { $0 + "\n" }.joined())
            try await sandbox.sh("git notes --ref ml/runs append -F lines HEAD && rm lines", in: "work")
        }
        func start(_ id: String, _ name: String) -> String {
            #"{"t":"2026-11-23T15:04:05.000001Z","run":"\#(id)","ev":"start","name":"\#(name)"}"#
        }
        func metrics(_ id: String, _ auc: Double) -> String {
            #"{"t":"2026-11-23T15:04:05.000002Z","run":"\#(id)","ev":"metrics","metrics":{"auc":{"last":\#(auc)}}}"#
        }
        let check = RecordCheck(try Repository(sandbox.path.appending("work")))
        #expect(try check.contradictions().isEmpty)
        try await note(ids.map { start($0, "a") } + [metrics(ids[0], 0.8), metrics(ids[1], 0.8)])
        try await sandbox.sh("git commit -q --allow-empty -m second", in: "work")
        // The first as it was, the second with another value, the third with another name.
        try await note([start(ids[0], "a"), metrics(ids[0], 0.8), metrics(ids[1], 0.99), start(ids[2], "b")])
        let found = try check.contradictions()
        #expect(found.map(\.run) == Array(ids[1...]))
        #expect(found.map(\.commits.count) == [2, 2])
        #expect(
            found.map(\.reason)
                == ["its auc has 2 values at the same moment", "it begins 2 times, differently"])
    }
}
