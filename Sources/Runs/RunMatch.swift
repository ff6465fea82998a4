internal import Base
internal import GitKit
internal import SystemPackage

/// Finds the run whose results a commit holds.
struct RunMatch {
    private let repository: Repository
    private let log: RunLog
    private let settings: RecordSettings

    init(_ repository: Repository, _ log: RunLog, _ settings: RecordSettings) {
        self.repository = repository
        self.log = log
        self.settings = settings
    }

    /// The run behind a commit; exact when the commit's tree differs from the run's code only in what the run has made.
    ///
    /// That is the latest run that started from the commit's parent and whose metrics, parameters, data and models the
    /// commit has. Failing that, one that such results were recorded for on another branch: what a cherry-pick, a squash
    /// merge or `git am` brought here. `fresh` are runs that do not stand in the notes yet.
    func find(for content: CommitContent, fresh: [Run]) throws -> (run: Run, isExact: Bool)? {
        let found =
            try latest(onParent(content.commit, fresh), content)
            ?? latest(elsewhere(content), content) { try !repository.isAncestor($0.commit, of: content.commit.id) }
        return try found.map { ($0, try isExact($0, content.commit)) }
    }

    private func latest(_ runs: [Run], _ content: CommitContent, where isMeant: (Run) throws -> Bool = { _ in true })
        throws -> Run?
    {
        let agreeing = runs.filter { agrees($0, content) }.sorted { ($0.started, $0.id) > ($1.started, $1.id) }
        return try agreeing.first(where: isMeant)
    }

    /// Runs whose code is the commit's parent, or a snapshot on top of it.
    private func onParent(_ commit: Commit, _ fresh: [Run]) throws -> [Run] {
        guard let parent = commit.parents.first else { return [] }
        var runs: [Run] = []
        for run in fresh {
            let isOnParent = try run.commit == parent || repository.commit(run.commit).parents.first == parent
            if isOnParent { runs.append(run) }
        }
        runs += try log.runs(on: parent)
        for snapshot in try KeptCommits(repository).recent(50)
        where try repository.commit(snapshot).parents.first == parent {
            runs += try log.runs(on: snapshot)
        }
        return runs.filter { $0.source != RunRecord.Source.commit.rawValue }
    }

    /// Runs on the commit that is being picked and on the tips of other branches, and those with the same metric.
    private func elsewhere(_ content: CommitContent) throws -> [Run] {
        let picked = try Files.readText(repository.gitDirectory.appending("CHERRY_PICK_HEAD"))
            .flatMap { ObjectID($0.trimmingTrailingSpace) }
        let tips = try repository.refs(below: "refs/heads/").prefix(20).map(\.target)
        var runs = try (Set(tips).union(picked.map { [$0] } ?? []).subtracting([content.commit.id])).flatMap {
            try log.runs(on: $0)
        }
        if let (metric, value) = content.metrics.min(by: { $0.key < $1.key }), !value.isNaN,
            let index = RunIndex.asItIs(repository)
        {
            // Only a hint: what it does not know is recorded as a run of its own.
            runs += (try? index.read { try IndexLookup($0).runs(with: metric, value: value, limit: 20) }) ?? []
        }
        return runs
    }

    private func agrees(_ run: Run, _ content: CommitContent) -> Bool {
        let metrics = run.values
        // What the run did not write is as it was in the run's code.
        let lacking = content.metrics.filter { metrics[$0.key] == nil }
        let before =
            lacking.isEmpty || lacking.count == content.metrics.count
            ? [:] : (try? CommitContent.metrics(settings, in: run.commit, of: repository) { _ in }) ?? [:]
        guard
            content.metrics.allSatisfy({ key, value in
                (metrics[key] ?? before[key]).map { Self.same($0, value) } ?? false
            }),
            Secrets.masked(content.params).allSatisfy({ run.params[$0.key] == $0.value })
        else { return false }
        let models = content.items.filter { $0.role == .model }
        let made = Dictionary(run.outputs.map { ($0.path, $0.digest) }) { $1 }
        guard models.allSatisfy({ made[$0.path] == nil || made[$0.path] == $0.digest }) else { return false }
        let data = Dictionary(run.inputs.map { ($0.path, $0.digest) }) { $1 }
        guard content.items.allSatisfy({ $0.role != .data || data[$0.path] == nil || data[$0.path] == $0.digest })
        else { return false }
        // Nothing that the run made is there: it says nothing of this commit.
        return !content.metrics.isEmpty || models.contains { made[$0.path] == $0.digest }
    }

    private static func same(_ a: Double, _ b: Double) -> Bool { a == b || (a.isNaN && b.isNaN) }

    private func isExact(_ run: Run, _ commit: Commit) throws -> Bool {
        let made = Set(run.outputs.map(\.path) + settings.metricFiles.map(\.path))
        let plots = settings.plots.map { PathPattern($0) }
        return try repository.changedPaths(from: run.commit, to: commit.id).allSatisfy { path in
            made.contains(path) || path.hasPrefix("dvclive/") || plots.contains { $0.matches(path) }
        }
    }
}
