import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Models

/// Reading tags out of a repository: the cache, and what is not as it should be.
struct RegistryReadingTests {
    private let sandbox: Sandbox

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
    }

    private var repository: Repository { get throws { try Repository(sandbox.path.appending("work")) } }

    /// Makes tags by the names on a branch of some commits, at dates that go back and forth.
    private func makeTags(_ names: [String]) async throws {
        var stream = ""
        for (i, name) in names.enumerated() {
            let date = 1_700_000_000 + (i * 7919) % 1_000
            stream += "tag \(name)\nfrom \(try repository.resolve("HEAD"))\n"
            stream += "tagger Jo <j@example.com> \(date) +0000\ndata 2\nx\n\n"
        }
        try sandbox.directory.write("stream", stream)
        try await sandbox.sh("git fast-import --quiet < ../stream && git pack-refs --all", in: "work")
    }

    private func summary(_ registry: Registry) -> [String] {
        registry.models.values.sorted { $0.name < $1.name }.map { model in
            "\(model.json(all: true)) \(model.history.map(\.event.name)) \(model.nextCounter)"
        } + registry.problems.map { "\($0.tag): \($0.reason)" }
    }

    @Test func `what comes out of the cache is what the tags say, whatever became of the file`() async throws {
        try await makeTags(
            (1...60).flatMap { ["m\($0 % 7)#prod#\($0)", "m\($0 % 7)@v1.\($0).0", "m\($0 % 7)@v1.\($0)"] })
        let file = try repository.mlDirectory.appending("cache").appending("tags")
        func fresh() throws -> [String] {
            summary(Registry(try repository.tags()))
        }
        func read() throws -> [String] { summary(try Registry(repository)) }
        let expected = try fresh()
        #expect(try read() == expected)
        let cached = try #require(try Files.read(file))
        #expect(try read() == expected)
        #expect(try Files.read(file) == cached)
        // Damaged, cut short, of another version, gone.
        var damaged = cached
        damaged[damaged.count / 2] ^= 1
        for bytes in [damaged, Array(cached.prefix(cached.count / 2)), Array("git-ml tags 9\n".utf8), []] {
            try Files.replace(file, with: bytes)
            #expect(try read() == expected)
        }
        Files.remove(file)
        #expect(try read() == expected)
        // Tags that were moved, removed and added are read as they are now.
        try await sandbox.sh(
            """
            git commit -q --allow-empty -m second
            git tag -f -a -m x 'm1#prod#1' HEAD
            git tag -d 'm2#prod#2' 'm3@v1.3.0' >/dev/null
            git tag -a -m x 'm2#prod#70' HEAD
            """, in: "work")
        let later = try fresh()
        #expect(later != expected)
        #expect(try read() == later)
    }

    @Test func `a cache that cannot be written is done without`() async throws {
        try await makeTags((1...40).map { "m#prod#\($0)" })
        try await sandbox.sh("mkdir -p .git/ml && touch .git/ml/cache", in: "work")
        #expect(try Registry(repository).models.values.first?.desired["prod"]?.counter == 40)
    }

    @Test func `tags that almost keep to the grammar are told apart from others`() async throws {
        try await sandbox.sh(
            """
            git tag -a -m x 'm@v1.0.0'
            for name in v1.0.0 release/2 'm@1.0.0' 'm#a#b' 'm#' '@v1.0.0' 'a.b@v1.0.0' "it's@v1.0.0"; do
                git update-ref "refs/tags/$name" HEAD
            done
            """, in: "work")
        let registry = try Registry(repository)
        #expect(registry.models.count == 1)
        #expect(registry.problems.map(\.tag) == ["@v1.0.0", "a.b@v1.0.0", "it's@v1.0.0", "m#", "m#a#b", "m@1.0.0"])
        #expect(registry.problems.allSatisfy { $0.isNearMiss })
    }

    @Test func `tags on trees and blobs, tags of tags and tags without a tagger`() async throws {
        try await sandbox.sh(
            """
            git tag -a -m x 'm@v1.0.0'
            git tag -a -m x 'm@v1.1.0' 'm@v1.0.0'
            git tag -a -m x 'tree@v1.0.0' 'HEAD^{tree}'
            git tag -a -m x 'blob#prod#1' $(echo x | git hash-object -w --stdin)
            git tag 'light#prod#3' $(echo x | git hash-object -w --stdin)
            id=$(printf 'object %s\\ntype commit\\ntag old@v1.0.0\\n\\nx\\n' $(git rev-parse HEAD) | git hash-object -t tag -w --stdin --literally)
            git update-ref refs/tags/old@v1.0.0 $id
            id=$(printf 'nonsense' | git hash-object -t tag -w --stdin --literally)
            mkdir -p .git/refs/tags && echo $id > '.git/refs/tags/broken@v1.0.0'
            echo 1234567890123456789012345678901234567890 > '.git/refs/tags/gone@v1.0.0'
            """, in: "work")
        let registry = try Registry(repository)
        let head = try repository.resolve("HEAD")
        #expect(registry.models.values.flatMap(\.versions).allSatisfy { $0.commit == head })
        #expect(Set(registry.models.keys.map(\.description)) == ["m", "old"])
        #expect(registry.models.values.first { $0.name.description == "m" }?.versions.count == 2)
        #expect(
            registry.problems.map { "\($0.tag): \($0.reason.prefix(20))" } == [
                "blob#prod#1: it is on a blob, not", "broken@v1.0.0: its object is malfor",
                "gone@v1.0.0: its object 123456789", "light#prod#3: it is on a blob, not",
                "tree@v1.0.0: it is on a tree, not",
            ])
    }

    @Test func `counters and dates: what is desired, what is current, and the next number`() async throws {
        func model(_ lines: String) async throws -> ModelEntry {
            try await sandbox.sh(
                """
                git tag | xargs -r git tag -d > /dev/null
                t() { GIT_COMMITTER_DATE="17000000$1 +0000" git tag -a -m x "$2" "$3"; }
                """ + "\n" + lines, in: "work")
            return try #require(try Registry(repository).models.values.first)
        }
        try await sandbox.sh("git commit -q --allow-empty -m second; git commit -q --allow-empty -m third", in: "work")
        // The end of an older assignment does not undo that of the current one.
        let two = try await model(
            "t 10 'm#prod#1' HEAD~2; t 11 'm#prod#2' HEAD~1; t 12 'm#prod!#3' HEAD~1; t 13 'm#prod!#4' HEAD~2")
        #expect(two.desired.isEmpty)
        // What was staged once more after its end is wanted.
        let again = try await model("t 10 'm#prod#1' HEAD; t 11 'm#prod!#2' HEAD; t 12 'm#prod#3' HEAD")
        #expect(again.desired["prod"]?.counter == 3)
        // A plain tag does not win over one with a counter, whatever its date; without any counter GTO's answer holds.
        let mixed = try await model(
            "t 10 'm#prod#1' HEAD; t 99 'm#prod' HEAD~1; t 98 'm#dev' HEAD~1; t 99 'm#dev!' HEAD~2")
        #expect(mixed.desired["prod"]?.counter == 1)
        #expect(mixed.desired["dev"]?.tag == "m#dev")
        #expect(mixed.disputedStages == ["prod"])
        // A deregistered version is in no stage for GTO; what is deployed stays.
        let taken = try await model("t 10 'm@v1.0.0' HEAD; t 11 'm#prod#1' HEAD; t 12 'm@v1.0.0!' HEAD")
        #expect(taken.stages.isEmpty)
        #expect(taken.desired["prod"]?.counter == 1)
        let head = try repository.resolve("HEAD").hex
        #expect(taken.desired["prod"]?.label == head)
        // Counters of light tags and of other stages are taken.
        let next = try await model(
            "t 10 'm#prod#1' HEAD; t 11 'm#dev!#7' HEAD; git tag 'm@v1.0.0#9'; t 12 'm@deprecated#8' HEAD")
        #expect(next.nextCounter == 10)
        #expect(next.newest["dev"]?.name == "m#dev!#7")
        // Two versions on one commit, where GTO fails: the highest that is registered counts.
        let both = try await model(
            "t 10 'm@v1.0.0' HEAD; t 11 'm@v2.0.0' HEAD; t 12 'm@v2.0.0!' HEAD; t 13 'm#prod#1' HEAD")
        #expect(both.stages["prod"]?.first?.label == "v1.0.0")
    }

    @Test func `reads a repository that libgit2 cannot`() async throws {
        try await sandbox.sh(
            """
            git init -q -b main --object-format=sha256 new && cd new && git commit -q --allow-empty -m first
            git tag -a -m x 'm@v1.0.0'; git tag -a -m x 'm#prod#1'; git tag 'm#prod#2'
            """)
        let registry = try Registry(Repository(sandbox.path.appending("new")))
        #expect(registry.models.values.first?.stages["prod"]?.first?.label == "v1.0.0")
        #expect(registry.problems.map(\.tag) == ["m#prod#2"])
    }
}
