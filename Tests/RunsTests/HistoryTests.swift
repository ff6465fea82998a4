import Base
import GitKit
import Pointers
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Runs

/// The history that the index keeps, against the commits themselves.
struct HistoryTests {
    private let sandbox: Sandbox
    private let repository: Repository

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
    }

    /// A commit with a run of its own, named by the commit.
    private func commit(_ parents: [ObjectID], at time: Int64, hasRun: Bool) throws -> ObjectID {
        let author = Signature(name: "ann", email: "ann@example.org", time: Timestamp(seconds: time))
        let commit = try repository.writeCommit(
            tree: repository.emptyTree, parents: parents, by: author, message: "\(time) \(parents.count)\n")
        guard hasRun else { return commit }
        var record = RunRecord(code: commit, source: .cli)
        record.name = commit.hex
        record.end = RunRecord.End(.finished)
        let content = LocalObjects(mlDirectory: repository.mlDirectory)
        try RunLog(repository).notes.add([commit: record.lines(store: content)], message: "x")
        return commit
    }

    private func walk(_ tip: ObjectID) throws -> [String] {
        var commits: [String] = []
        try repository.history(from: [tip]) { commit in
            commits.append(commit.hex)
            return true
        }
        return commits
    }

    @Test(arguments: 1...3, [false, true])
    func `the runs of a history are those of its commits, in their order, wherever the branch goes`(
        seed: UInt64, hasWrongClocks: Bool
    ) throws {
        var random = SeededGenerator(seed: seed)
        var recorded: Set<String> = []
        var tips: [ObjectID] = []
        var time: Int64 = 1_700_000_000
        for step in 0..<30 {
            time += hasWrongClocks ? Int64.random(in: -500...600, using: &random) : 60
            let first = tips.randomElement(using: &random).map { [$0] } ?? []
            let other = tips.randomElement(using: &random).map { [$0] } ?? []
            let isMerge = Bool.random(using: &random) && first != other
            let hasRun = Bool.random(using: &random)
            let new = try commit(isMerge ? first + other : first, at: time, hasRun: hasRun)
            if hasRun { recorded.insert(new.hex) }
            // Ahead, a branch of its own beside the old tip, or the old tip gone.
            if Bool.random(using: &random), let tip = first.first { tips.removeAll { $0 == tip } }
            tips.append(new)
            let seen = tips.randomElement(using: &random) ?? new
            let runs = try RunStore(repository).history(from: seen).compactMap(\.name)
            let wanted = try walk(seen).filter(recorded.contains)
            if hasWrongClocks {
                #expect(runs.sorted() == wanted.sorted(), "seed \(seed), step \(step)")
            } else {
                #expect(runs == wanted, "seed \(seed), step \(step)")
            }
            var query = RunQuery()
            query.scope = .history(seen)
            #expect(try RunStore(repository).runs(query).compactMap(\.name).sorted() == wanted.sorted())
            #expect(try RunStore(repository).history(from: seen, limit: 2).compactMap(\.name) == Array(runs.prefix(2)))
        }
    }

    @Test func `a shallow clone has the runs of the history that it has, and more when it is deepened`() async throws {
        let commits = try (0..<4).reduce(into: [ObjectID]()) { commits, i in
            try commits.append(commit(commits.suffix(1), at: 1_700_000_000 + Int64(i) * 60, hasRun: true))
        }
        let tip = try #require(commits.last)
        try await sandbox.sh(
            """
            git -C work update-ref refs/heads/main \(tip) && git clone -q --depth 2 --no-local file://$PWD/work shallow
            git -C shallow fetch -q origin 'refs/notes/*:refs/notes/*'
            """)
        let shallow = try Repository(sandbox.path.appending("shallow"))
        let names = commits.reversed().map(\.hex)
        #expect(try RunStore(shallow).history(from: tip).compactMap(\.name) == Array(names.prefix(2)))
        let store = try RunStore(shallow)
        #expect(try store.history(from: tip).compactMap(\.name) == Array(names.prefix(2)))
        try await sandbox.sh("git -C shallow fetch -q --depth 3")
        let deeper = try RunStore(Repository(sandbox.path.appending("shallow")))
        #expect(try deeper.history(from: tip).compactMap(\.name) == Array(names.prefix(3)))
    }
}
