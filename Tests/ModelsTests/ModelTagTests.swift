import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Models

struct ModelTagTests {
    @Test(arguments: [
        "churn@v1.2.0", "churn@v1.2.0!", "churn@deprecated", "churn#prod#4", "churn#prod", "churn#prod!#5",
        "churn@deprecated#6", "team/churn@v1.0.0-rc.1+b2", "folder=churn#prod#1", "a/b.c=churn#prod#0",
    ])
    func `a tag of the grammar reads and writes the same`(name: String) {
        #expect(ModelTag(name)?.description == name)
    }

    @Test(arguments: [
        "churn", "churn@", "churn@1.0.0", "churn@v1.0", "churn@v01.0.0", "churn#",
        "churn#prod#", "churn#prod#x", "churn#prod#1000000000000000", "churn#prod#99999999999999999999", "churn#a b",
        "-churn#prod", "churn-#prod", "$(id)@v1", "--exec=x", "churn@deprecated!",
        "churn#prod#1#2#3", "@v1.0.0", "a:b#prod", "-a=b#prod", "a/../b=m#prod", "/a=m#prod", "churn@created",
        "churn@v1.0.0!!", "churn@v1.0.0-", "churn@v1.0.0-01", "churn@v1.0.0+", "churn@V1.0.0", "=m#prod", "a=b=m#prod",
    ])
    func `a tag outside the grammar is none of ours`(name: String) { #expect(ModelTag(name) == nil) }

    @Test func `versions are ordered as semver.org orders them`() {
        let texts = [
            "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
            "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "2.0.0",
        ]
        let versions = texts.compactMap { SemanticVersion($0) }
        #expect(versions.count == texts.count)
        #expect(versions.shuffled().sorted().map(\.description) == texts.map { "v" + $0 })
    }
}

struct RegistryTests {
    private let sandbox: Sandbox

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
    }

    private func registry(_ lines: String, allowLight: Bool = false) async throws -> Registry {
        try await sandbox.sh(
            "n=1700000000; t() { n=$((n+1)); GIT_COMMITTER_DATE=\"$n +0000\" git tag -a -m x \"$@\"; }\n" + lines,
            in: "work")
        return Registry(try Repository(sandbox.path.appending("work")).tags(), allowLight: allowLight)
    }

    @Test func `desired is the highest counter, whenever it was tagged`() async throws {
        let registry = try await registry(
            """
            git commit -q --allow-empty -m second
            t 'm#prod#2' HEAD
            t 'm#prod#1' HEAD~1
            """)
        let model = registry.models.values.first
        #expect(model?.desired["prod"]?.counter == 2)
        #expect(model?.stages["prod"]?.first?.counter == 1)
        #expect(model?.nextCounter == 3)
    }

    @Test func `an unassigned stage is empty, and a later counter fills it again`() async throws {
        let empty = try await registry("t 'm#prod#1' HEAD; t 'm#prod!#2' HEAD")
        #expect(empty.models.values.first?.desired.isEmpty == true)
        let filled = try await registry("n=1800000000; t 'm#prod#3' HEAD")
        #expect(filled.models.values.first?.desired["prod"]?.counter == 3)
    }

    @Test func `a light tag does not count and is told of with its remedy`() async throws {
        let registry = try await registry("git tag 'm#prod#1'")
        #expect(registry.models.isEmpty)
        #expect(registry.problems.first?.reason.contains("git tag -a -f") == true)
        let light = try await self.registry(":", allowLight: true)
        #expect(light.models.values.first?.desired["prod"]?.counter == 1)
    }

    @Test func `a deregistered version is not the latest`() async throws {
        let registry = try await registry("t 'm@v1.0.0'; t 'm@v1.1.0'; t 'm@v1.1.0!'")
        #expect(registry.models.values.first?.latest?.version == SemanticVersion(1, 0, 0))
    }
}
