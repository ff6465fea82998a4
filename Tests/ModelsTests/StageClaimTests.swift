import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Models

/// Which assignment a runner is led to when some tags are refused.
struct StageClaimTests {
    private let sandbox: Sandbox

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
    }

    /// Makes tags a second apart, in this order; `name HEAD~1` says on which commit.
    private func registry(_ names: String...) async throws -> Registry {
        try await sandbox.sh("git commit -q --allow-empty -m second", in: "work")
        for (i, name) in names.enumerated() {
            let words = name.split(separator: " ")
            let commit = words.count > 1 ? words[1] : "HEAD"
            try await sandbox.sh(
                "GIT_COMMITTER_DATE='\(1_700_000_000 + i) +0000' git tag -a -m x '\(words[0])' \(commit)", in: "work")
        }
        return try Registry(Repository(sandbox.path.appending("work")))
    }

    /// Who is asked, in order; those in `bad` are refused.
    private func asked(_ registry: Registry, bad: Set<String>, known: Set<String> = []) async throws -> [String] {
        var asked: [String] = []
        let model = try #require(ModelName("m"))
        try await registry.settle("prod", of: model, without: known) { claim in
            asked.append(claim.assignment.tag + (claim.isEnd ? " ends" : ""))
            return bad.contains(claim.assignment.tag)
        }
        return asked
    }

    @Test func `a refused tag with a higher counter does not hide the one below it`() async throws {
        let registry = try await registry("m#prod#1", "m#prod#2", "m#prod#900", "m#test#901")
        #expect(registry.stages(of: try #require(ModelName("m"))) == ["prod", "test"])
        #expect(try await asked(registry, bad: []) == ["m#prod#900"])
        #expect(try await asked(registry, bad: ["m#prod#900"]) == ["m#prod#900", "m#prod#2"])
        #expect(
            try await asked(registry, bad: ["m#prod#900", "m#prod#2", "m#prod#1"])
                == ["m#prod#900", "m#prod#2", "m#prod#1"])
        #expect(try await asked(registry, bad: [], known: ["m#prod#900"]) == ["m#prod#2"])
    }

    @Test func `a refused end of an assignment leaves it in place, one that counts ends it`() async throws {
        let registry = try await registry("m#prod#1", "m#prod#2", "m#prod!#3", "m#prod!#4")
        #expect(try await asked(registry, bad: []) == ["m#prod!#3 ends", "m#prod!#4 ends"])
        #expect(
            try await asked(registry, bad: ["m#prod!#3"]) == ["m#prod!#3 ends", "m#prod!#4 ends", "m#prod!#4 ends"])
        let both = try await asked(registry, bad: ["m#prod!#3", "m#prod!#4"])
        #expect(both == ["m#prod!#3 ends", "m#prod!#4 ends", "m#prod#2"])
    }

    @Test func `without counters the dates decide, of what is not refused`() async throws {
        let registry = try await registry(
            "m@v1.0.0 HEAD~1", "m#prod HEAD~1", "m@v2.0.0", "m#prod#7", "m#prod!")
        // One counter makes counters decide: when it is refused, the plain tag holds.
        #expect(try await asked(registry, bad: ["m#prod#7"]) == ["m#prod#7", "m#prod"])
    }

    @Test func `a plain end that is refused does not bring back what was there before`() async throws {
        let registry = try await registry(
            "m@v1.0.0 HEAD~1", "m#prod HEAD~1", "m@v2.0.0", "m#prod!")
        // Of v2.0.0 nothing is in the stage: its end changes nothing.
        #expect(try await asked(registry, bad: []) == ["m#prod"])
        let staged = try await self.registry("k@v1.0.0 HEAD~1")
        #expect(staged.stages(of: try #require(ModelName("k"))).isEmpty)
    }
}
