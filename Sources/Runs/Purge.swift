internal import Base
public import GitKit
internal import Pointers
internal import Storage
internal import SystemPackage

/// Removes runs for good: their lines, the notes history that holds them, and the contents that only they name.
public struct Purge: Sendable {
    /// What a purge takes out.
    public struct Plan: Sendable {
        public var runs: [String]
        /// How many event lines.
        public var lines = 0
        /// Contents that no other run names, in hex.
        public var contents: [String] = []
        /// Commits that were kept only for these runs.
        public var code: [ObjectID] = []
        fileprivate var first: [ObjectID] = []
    }

    private let repository: Repository
    private let log: RunLog

    public init(_ repository: Repository) {
        self.repository = repository
        log = RunLog(repository)
    }

    /// Looks through all notes and their history for the runs; nothing changes yet.
    public func plan(_ runs: [String]) throws -> Plan {
        var plan = Plan(runs: runs)
        let ids = Set(runs)
        var places: Set<ObjectID> = []
        var own: Set<Digest> = []
        var others: Set<Digest> = []
        for (object, lines) in try log.notes.all() {
            for line in lines {
                let named = line.contains("\"oid\"") ? RunContents.named(line) : []
                if let run = (try? JSON.parse(line))?["run"]?.string, ids.contains(run) {
                    plan.lines += 1
                    places.insert(object)
                    own.formUnion(named)
                } else {
                    others.formUnion(named)
                }
            }
        }
        // What a pointer file names is in git-lfs's store and stays; only what is kept for runs goes.
        let kept = KeptObjects(repository)
        let list = try repository.ref(ContentList.ref)
        plan.contents = try own.subtracting(others).filter { digest in
            if Files.exists(kept.store.path(of: digest)) { return true }
            return try list.map { try repository.entry(ContentList.path(digest.hex), in: $0) != nil } ?? false
        }.map(\.hex).sorted()
        plan.first = try firstCommits(of: ids, on: places)
        let snapshots = Set(try KeptCommits(repository).recent(.max))
        plan.code = try places.filter { place in
            guard snapshots.contains(place) else { return false }
            return try log.notes.lines(on: place).allSatisfy { line in
                (try? JSON.parse(line))?["run"]?.string.map { ids.contains($0) } ?? false
            }
        }.sorted()
        return plan
    }

    /// Takes the runs out of this clone; the next push or sync takes them out of the remote and of other clones.
    public func run(_ plan: Plan, by user: String) throws {
        let kept = KeptObjects(repository)
        var lines: [String] = []
        for run in plan.runs {
            lines.append(
                JSON.object([
                    JSON.Member("t", .string(Timestamp.now().description)), JSON.Member("run", .string(run)),
                    JSON.Member("ev", .string("purge")), JSON.Member("by", .string(user)),
                    JSON.Member("first", .array(plan.first.map { .string($0.hex) })),
                    JSON.Member("content", .array(plan.contents.map { .string("sha256:" + $0) })),
                    JSON.Member("code", .array(plan.code.map { .string($0.hex) })),
                ]).description)
        }
        try Notes(PurgedRuns.ref, in: repository).add(
            [repository.emptyTree: lines], message: "purge: \(plan.runs.count) run(s)")
        try NotesSync(repository).dropPurged()
        for content in plan.contents {
            guard let digest = Digest(content) else { continue }
            kept.remove(digest)
        }
    }

    /// The commits of the notes history that hold a line of the runs while none of their parents does.
    private func firstCommits(of ids: Set<String>, on places: Set<ObjectID>) throws -> [ObjectID] {
        guard let head = try repository.ref(RunLog.ref), !places.isEmpty else { return [] }
        var commits: [ObjectID] = []
        try repository.history(from: [head]) {
            commits.append($0)
            return true
        }
        var known: [ObjectID: Bool] = [:]
        func holds(_ commit: ObjectID) throws -> Bool {
            try places.contains { place in
                guard let blob = try log.notes.blob(on: place, at: commit) else { return false }
                if let answer = known[blob] { return answer }
                let text = String(decoding: try repository.blob(blob), as: UTF8.self)
                let answer = ids.contains { text.contains("\"run\":\"\($0)\"") }
                known[blob] = answer
                return answer
            }
        }
        var holding: Set<ObjectID> = []
        for commit in commits where try holds(commit) { holding.insert(commit) }
        return try holding.filter { try repository.commit($0).parents.allSatisfy { !holding.contains($0) } }.sorted()
    }
}
