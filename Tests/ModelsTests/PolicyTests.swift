import Base
import GitKit
import Runs
import SystemPackage
import TestSupport
import Testing

@testable import Models

struct PolicyTests {
    // Case D-14.
    @Test func `the tagged commit's own policy and signers do not count, and are reported`() async throws {
        let it = try await PolicyRepository()
        try await it.sh(
            """
            git checkout -q -b mine
            printf 'stranger@example.com %s\\n' "$(cut -d' ' -f1,2 ../stranger.pub)" >> .ml/allowed_signers
            sed -i 's/prod: .*/prod: {require_reachable: false}/' ml.yaml; git commit -qam 'let me in'
            git config user.signingKey "$PWD/../stranger"
            """)
        try await it.tag("m#prod#1")
        try await it.sh("git checkout -q main")
        let verdict = try await it.verdict()
        #expect(verdict.refusals.map(\.code) == ["unreachable", "unknown-key"])
        #expect(verdict.notices.count == 2)
        #expect(verdict.notices.first?.contains("does not count") == true)
        #expect(verdict.notices.last?.hasPrefix(".ml/allowed_signers at the tagged commit") == true)
    }

    // Case D-17.
    @Test func `a commit that is not on the protected branch is refused, unless policy says that it may be`()
        async throws
    {
        let it = try await PolicyRepository(stage: "{}")
        try await it.sh("git checkout -q -b side; git commit -q --allow-empty -m side")
        try await it.tag("m#prod#1", "-a")
        try await it.sh("git checkout -q main")
        #expect(try await it.codes() == ["unreachable"])
        try await it.sh("git merge -q --no-edit side")
        #expect(try await it.codes() == [])
        try await it.sh("git checkout -q -b other HEAD~1; git commit -q --allow-empty -m other")
        try await it.tag("m#prod#2", "-a")
        try await it.sh("git checkout -q main")
        try await it.settings("{require_reachable: false}")
        #expect(try await it.codes("m#prod#2") == [])
    }

    // Case D-17: git answers “no” about what lies beyond the cut.
    @Test func `a shallow clone says that it cannot tell`() async throws {
        let it = try await PolicyRepository(stage: "{}")
        try await it.tag("m#prod#1", "-a")
        try await it.sh(
            """
            for i in 1 2 3; do git commit -q --allow-empty -m $i; done
            git clone -q --depth 1 "file://$PWD" ../shallow
            cd ../shallow; git fetch -q --depth 1 origin tag 'm#prod#1'
            """)
        let shallow = try Repository(it.sandbox.path.appending("shallow"))
        let policy = try #require(try Policy(at: shallow.resolve("HEAD"), branch: "main", in: shallow))
        let tag = try #require(try shallow.tags().first)
        let verdict = try await PolicyCheck(policy, tags: [tag]) { try RunStore(shallow) }.verdict(on: tag)
        #expect(verdict.refusals.map(\.code) == ["shallow"])
    }

    @Test func `in a clone the remote's default branch is the protected one, whatever is checked out`() async throws {
        let it = try await PolicyRepository(stage: "{approvals: 1}")
        try await it.sh(
            """
            git clone -q . ../clone; cd ../clone; git checkout -q -b mine
            sed -i 's/approvals: 1/approvals: 0/' ml.yaml; git commit -qam mine
            git clone -q --bare . ../bare.git; git init -q ../fresh; git -C ../fresh remote add origin ../bare.git
            git -C ../fresh fetch -q
            """)
        func policy(_ folder: String) throws -> Policy? {
            try Policy.protected(Repository(it.sandbox.path.appending(folder)))
        }
        #expect(try policy("clone")?.project.stages["prod"]?.approvals == 1)
        #expect(try policy("clone")?.branch == "origin/HEAD")
        #expect(try policy("bare.git")?.project.stages["prod"]?.approvals == 0)
        #expect(try policy("bare.git")?.branch == "mine")
        let failure = #expect(throws: UnknownDefaultBranch.self) { try policy("fresh") }
        #expect(failure?.hints == ["ask for it with `git remote set-head origin --auto`"])
    }

    @Test func `a model or stage that the protected branch does not name, and a commit without the model`() async throws
    {
        let it = try await PolicyRepository(stage: "{require_reachable: false}")
        try await it.tag("m#prd#1", "-a")
        try await it.tag("n#prod#1", "-a")
        try await it.sh("git checkout -q -b empty; git rm -q models/m.bin; git commit -qm without")
        try await it.tag("m#prod#2", "-a")
        try await it.sh("git tag -a -m tree 'm#prod#3' 'HEAD^{tree}'; git checkout -q main")
        let unknown = try #require(try await it.verdict("m#prd#1").refusals.first)
        #expect(unknown.code == "no-stage" && unknown.hints == ["did you mean prod?"])
        #expect(try await it.codes("n#prod#1") == ["no-model"])
        #expect(try await it.codes("m#prod#2") == ["no-file"])
        #expect(try await it.codes("m#prod#3") == ["not-on-commit"])
    }

    @Test func `policy says who may sign in two forms, and wrong ones name their line`() throws {
        let project = try Project(
            """
            models: {m: {path: m, stages: {prod: {signers: .ml/m_signers}}}}
            stages:
              prod: {signers: {file: .ml/allowed_signers, names: [lead@example.com]}}
            """)
        #expect(project.stages["prod"]?.signers?.names == ["lead@example.com"])
        let name = try #require(ModelName("m"))
        #expect(project.stage("prod", of: name)?.signers?.file == ".ml/m_signers")
        for text in ["{signers: ../keys}", "{signers: {names: [a]}}", "{signers: [a]}", "{approvals: -1}"] {
            let failure = #expect(throws: YAMLFailure.self) { try Project("stages:\n  prod: \(text)\n") }
            #expect(failure?.line == 2)
        }
    }

    // Case D-13.
    @Test(arguments: ["Churn", "churn\u{301}", "ch\u{fc}rn", "ch\u{75}\u{308}rn", "\u{441}hurn", "churn "])
    func `a model's name that could be taken for another is refused in ml yaml`(other: String) {
        let text = "models:\n  churn: {path: a}\n  '\(other)': {path: b}\n"
        let failure = #expect(throws: YAMLFailure.self) { try Project(text) }
        #expect(failure?.line == 3)
    }

    @Test func `a stage tag is refused for everything that is wrong with it at once`() async throws {
        let it = try await PolicyRepository(
            stage: "{signers: .ml/allowed_signers, strict: true, approvals: 1}")
        try await it.sh("git checkout -q -b side; git commit -q --allow-empty -m side")
        try await it.tag("m#prod#1", "-a")
        try await it.sh("git checkout -q main")
        #expect(try await it.codes() == ["unreachable", "unsigned", "no-statement", "approvals"])
    }
}
