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

/// What a push of tags may not do.
struct PushCheckTests {
    private func check(_ it: PolicyRepository, _ updates: RefUpdate..., policy: Bool = true, isServer: Bool = true)
        async throws
        -> PushCheck.Result
    {
        let repository = try it.repository
        return try await PushCheck(repository, policy: policy ? it.policy() : nil, isServer: isServer) {
            try RunStore(repository)
        }
        .check(updates)
    }

    private func codes(_ result: PushCheck.Result) -> [String] {
        result.refused.map { ($0.failure as? PolicyRefusal)?.code ?? "grammar" }
    }

    private func new(_ it: PolicyRepository, _ name: String) async throws -> RefUpdate {
        try await RefUpdate("refs/tags/\(name)", from: nil, to: ObjectID(it.id("refs/tags/\(name)")))
    }

    @Test func `tags of models are neither moved nor deleted, versions included; others are`() async throws {
        let it = try await PolicyRepository(stage: "{}")
        try await it.tag("m@v1.0.0", "-a")
        try await it.tag("v1", "-a")
        let (old, head) = try await (ObjectID(it.id("refs/tags/m@v1.0.0")), ObjectID(it.id("HEAD")))
        let moved = try await check(it, RefUpdate("refs/tags/m@v1.0.0", from: old, to: head))
        #expect(codes(moved) == ["moved"])
        let deleted = try await check(it, RefUpdate("refs/tags/m@v1.0.0", from: old, to: nil))
        #expect(codes(deleted) == ["deleted"])
        let other = try await check(
            it, RefUpdate("refs/tags/v1", from: old, to: nil), RefUpdate("refs/heads/a@v1", from: old, to: head))
        #expect(other.refused.isEmpty && other.notices.isEmpty)
    }

    // Case D-43.
    @Test func `a counter that is not higher than what is there for that stage is refused`() async throws {
        let it = try await PolicyRepository(stage: "{}")
        for name in ["m#prod#2", "m#prod#3", "m#staging#3", "m#prod#4", "m#prod!#5"] { try await it.tag(name, "-a") }
        let second = try await new(it, "m#prod#2")
        let late = try await check(it, second)
        #expect(codes(late) == ["counter"])
        let clone = try await check(it, second, isServer: false)
        #expect(clone.refused.isEmpty)
        // Several in one push are all new; another stage has an order of its own.
        let (third, fourth, fifth) = try await (new(it, "m#prod#3"), new(it, "m#prod#4"), new(it, "m#prod!#5"))
        let all = try await check(it, third, fourth, fifth)
        #expect(all.refused.isEmpty)
        let staging = try await check(it, new(it, "m#staging#3"))
        #expect(staging.refused.isEmpty)
        #expect(staging.notices.contains { $0.contains("names no stage “staging”") })
    }

    // Case D-08.
    @Test(arguments: [
        "$(touch p)@v1", "`id`@v1", "a;id@v1", "-oProxyCommand=x@v1", "%(x)#1", "${IFS}@v1", "a|b#prod#1", "m'#prod#1",
    ])
    func `a tag whose name would harm a careless script is refused`(name: String) async throws {
        let it = try await PolicyRepository(stage: "{}")
        let head = try await ObjectID(it.id("HEAD"))
        let result = try await check(it, RefUpdate("refs/tags/\(name)", from: nil, to: head), policy: false)
        #expect(codes(result) == ["grammar"])
        let removed = try await check(it, RefUpdate("refs/tags/\(name)", from: head, to: nil), policy: false)
        #expect(removed.refused.isEmpty)
    }

    @Test(arguments: ["m@v1", "m#prod#x", "m#pr od", "m##", "pkg@v1.2", "@scope/pkg@v1.0.0"])
    func `a tag that only looks like a model's is told apart from what must not be`(name: String) async throws {
        let it = try await PolicyRepository(stage: "{}")
        let head = try await ObjectID(it.id("HEAD"))
        let result = try await check(it, RefUpdate("refs/tags/\(name)", from: nil, to: head))
        #expect(result.refused.isEmpty == !name.contains(" "))
        #expect(result.almost.count == (name.contains(" ") ? 0 : 1))
    }

    @Test(arguments: ["v1.0", "release/2", "user@example.com", "caf\u{e9}@home", "a@b"])
    func `tags of other people's making pass without a word`(name: String) async throws {
        let it = try await PolicyRepository(stage: "{}")
        let head = try await ObjectID(it.id("HEAD"))
        let result = try await check(it, RefUpdate("refs/tags/\(name)", from: nil, to: head))
        #expect(result.refused.isEmpty && result.almost.isEmpty && result.notices.isEmpty)
    }

    // Cases D-01, D-04, D-13.
    @Test func `light tags, tags of another name and names in other letters are refused without any policy`()
        async throws
    {
        let it = try await PolicyRepository(stage: "{}")
        try await it.tag("m@v1.0.0", "-a")
        let version = try await it.id("refs/tags/m@v1.0.0")
        let head = try await it.id("HEAD")
        let light = try await check(it, RefUpdate("refs/tags/m@v1.1.0", from: nil, to: ObjectID(head)), policy: false)
        #expect(codes(light) == ["light-tag"])
        let other = try await check(
            it, RefUpdate("refs/tags/m@v9.9.9", from: nil, to: ObjectID(version)), policy: false)
        #expect(codes(other) == ["tag-name-mismatch"])
        try await it.tag("M@v1.0.0", "-a")
        let capital = try await check(it, new(it, "M@v1.0.0"), policy: false)
        #expect(codes(capital) == ["name-case"])
    }
}
