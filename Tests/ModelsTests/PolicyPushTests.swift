import Base
import GitKit
import Runs
import SystemPackage
import TestSupport
import Testing

@testable import Models

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
