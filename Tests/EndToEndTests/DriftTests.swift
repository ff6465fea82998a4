import Base
import SystemPackage
import TestSupport
import Testing

/// What changes behind the runner's back.
struct DriftTests {
    @Test func `a server that has died is named by drift, and brought back by a runner that heals`() async throws {
        let project = try Project()
        try await project.sh("git init -q --bare remote.git && git init -q work", in: "")
        try await project.sh("git remote add origin ../remote.git && git ml init")
        try project.writeTinyServer()
        try project.writeModel(stage: "{deploy: {to: local}}")
        try await project.sh("git add -A && git commit -qm one && git push -q origin main")
        try await project.sh("git ml stage m prod HEAD --push")
        func drift() async throws -> (seen: Seen, json: JSON) {
            let seen = try await project.ml("drift", "m", "--json", "--repo", "remote.git", in: "")
            return (seen, try JSON.parse(seen.output))
        }
        func heal() async throws -> Seen {
            try await project.ml("runner", "--once", "--wait", "--heal", "--repo", "remote.git", in: "")
        }
        let staged = try await drift()
        #expect(staged.seen.status == 1 && staged.json["recorded"] == .null, "\(staged)")
        #expect(staged.json["differences"] == ["m#prod#1 is not delivered yet"], "\(staged)")
        _ = try await heal()
        let served = try await drift()
        #expect(served.seen.status == 0 && served.json["state"] == "live", "\(served)")
        let quiet = try await heal()
        #expect(quiet.status == 0 && quiet.output.isEmpty, "\(quiet)")
        // Somebody ends it.
        await project.stopServers()
        let dead = try await project.ml("drift", "--repo", "remote.git", in: "")
        #expect(dead.status == 1 && dead.output.contains("what is served does not run"), "\(dead)")
        let healed = try await heal()
        #expect(healed.output.contains("m#prod: what is served does not run: it is deployed again"), "\(healed)")
        let again = try await drift()
        #expect(again.seen.status == 0, "\(healed) \(again)")
        #expect(again.json["recorded"]?["digest"] == served.json["recorded"]?["digest"])
        let none = try await project.ml("drift", "other", "--repo", "remote.git", in: "")
        #expect(none.status == 3, "\(none)")
        await project.stopServers()
    }
}
