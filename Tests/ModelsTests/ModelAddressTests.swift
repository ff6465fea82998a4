import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Models

struct ModelAddressTests {
    @Test(arguments: [
        ("churn", "churn", ModelAddress.Selector.latest), ("churn@latest", "churn", .latest),
        ("churn@v1.2.0", "churn", .version(SemanticVersion(1, 2, 0))),
        ("churn@1.2.0", "churn", .version(SemanticVersion(1, 2, 0))), ("churn#prod", "churn", .stage("prod")),
        ("team/churn#eu/prod", "team/churn", .stage("eu/prod")), ("folder:churn#prod", "folder:churn", .stage("prod")),
        ("folder=churn", "folder:churn", .latest), ("models:/churn/3", "churn", .version(SemanticVersion(3, 0, 0))),
        ("models:/churn", "churn", .latest), ("models:/churn/latest", "churn", .latest),
        ("models:/churn@prod", "churn", .stage("prod")),
        ("models:/team/churn/2", "team/churn", .version(SemanticVersion(2, 0, 0))),
        ("models:/churn/Production", "churn", .stage("Production")),
        ("models:/churn/1000100020003", "churn", .version(SemanticVersion(1, 2, 3))),
    ])
    func `an address names a model and one of its commits`(text: String, model: String, selector: ModelAddress.Selector)
        throws
    {
        let address = try ModelAddress(text)
        #expect(address.model.description == model)
        #expect(address.selector == selector)
        #expect(address.description == text)
        #expect(address.isBare == ["churn", "folder=churn", "models:/churn"].contains(text))
    }

    @Test(arguments: [
        "", "@v1.0.0", "#prod", "churn@", "churn@v1", "churn#", "churn#prod#1", "churn#a b", "$(id)@v1.0.0",
        "--exec=x@v1", "models:/", "models:/churn/0", "models:/churn/-1", "models:/churn/1000300000000", "churn@prod",
        "models:/churn/99999999999999999999",
    ])
    func `what is no address is refused`(text: String) {
        #expect(throws: ModelAddressFailure.notAnAddress(text)) { try ModelAddress(text) }
    }

    @Test func `MLflow's numbers and versions map one to one`() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2_000 {
            let version = SemanticVersion(
                .random(in: 0...20_000, using: &generator),
                .random(in: 0...1, using: &generator) * .random(in: 0...9_999, using: &generator),
                .random(in: 0...1, using: &generator) * .random(in: 0...9_999, using: &generator))
            guard let number = version.mlflowNumber else {
                Issue.record("\(version) has no number")
                continue
            }
            #expect(SemanticVersion(mlflowNumber: number) == version)
        }
        #expect(SemanticVersion("v7.0.0")?.mlflowNumber == 7)
        #expect(SemanticVersion("v1.2.3")?.mlflowNumber == 1_000_100_020_003)
        #expect(SemanticVersion("v0.0.0")?.mlflowNumber == 1_000_000_000_000)
        for text in ["v1.0.0-rc.1", "v1.0.0+cuda", "v1.10000.0", "v1.0.10000", "v99999999999999.1.0"] {
            #expect(SemanticVersion(text)?.mlflowNumber == nil)
        }
        #expect(SemanticVersion(mlflowNumber: .min) == nil)
        #expect(SemanticVersion(mlflowNumber: .max)?.mlflowNumber ?? .max == .max)
    }

    @Test func `an address finds its commit, and says what there is when it does not`() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        try await sandbox.sh(
            """
            git tag -a -m x churn@v1.0.0
            git commit -q --allow-empty -m second
            git tag -a -m x churn@v1.1.0; git tag -a -m x 'churn#prod#1' HEAD~1
            git tag -a -m x churn@v1.2.0; git tag -a -m x 'churn@v1.2.0!'
            """, in: "work")
        let repository = try Repository(sandbox.path.appending("work"))
        let registry = Registry(try repository.tags())
        let head = try repository.resolve("HEAD")
        func resolve(_ text: String) throws -> ResolvedModel { try ModelAddress(text).resolve(in: registry) }
        #expect(try resolve("churn").commit == head)
        #expect(try resolve("churn").label == "v1.1.0")
        #expect(try resolve("models:/churn/1").commit == repository.resolve("HEAD~1"))
        let staged = try resolve("churn#prod")
        #expect(staged.stage == "prod")
        #expect(staged.label == "v1.0.0")

        func failure(_ text: String) -> ModelAddressFailure? {
            do { _ = try resolve(text) } catch { return error as? ModelAddressFailure }
            return nil
        }
        #expect(failure("chrun")?.hints == ["did you mean churn?"])
        #expect(failure("churn@v1.2.0")?.description == "churn v1.2.0 was deregistered")
        #expect(failure("churn@v9.0.0")?.hints.first?.contains("v1.1.0") == true)
        #expect(failure("churn#prdo")?.hints.first == "did you mean prod?")
        #expect(failure("churn#prdo")?.kind == .notFound)
    }
}
