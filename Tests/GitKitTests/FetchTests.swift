import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

struct FetchTests {
    @Test func `many that fetch into one clone at once all have what is new`() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        try await sandbox.sh("git commit -q --allow-empty -m x && git clone -q --bare . ../remote", in: "work")
        try await sandbox.sh("git clone -q remote clone")
        let clone = try Repository(sandbox.path.appending("clone"))
        let commit = try clone.resolve("HEAD")
        for round in 1...5 {
            try await sandbox.sh("git notes --ref=ml/runs add -f -m 'round \(round)' HEAD", in: "remote")
            try await withThrowingTaskGroup { group in
                for _ in 1...8 { group.addTask { try await NotesSync(clone).fetch("origin") } }
                try await group.waitForAll()
            }
            #expect(try Notes("refs/notes/ml/runs", in: clone).lines(on: commit).contains("round \(round)"))
        }
    }
}
