internal import Base
internal import GitKit

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

    /// The latest run that started from the commit's parent and whose metrics, parameters and models the commit has.
    ///
    /// `fresh` are runs that do not stand in the notes yet. Exact is a match when the commit's tree differs from the run's
    /// code only in what the run has made.
    func find(for content: CommitContent, fresh: [Run]) throws -> (run: Run, isExact: Bool)? {
        var found: (run: Run, isExact: Bool)?
        for run in try candidates(content.commit, fresh) where agrees(run, content) {
            if let best = found?.run, (best.started, best.id) > (run.started, run.id) { continue }
            found = (run, try isExact(run, content.commit))
        }
        return found
    }

    /// Runs whose code is the commit's parent, or a snapshot on top of it.
    private func candidates(_ commit: Commit, _ fresh: [Run]) throws -> [Run] {
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

    private func agrees(_ run: Run, _ content: CommitContent) -> Bool {
        let metrics = run.values
        guard content.metrics.allSatisfy({ key, value in metrics[key].map { Self.same($0, value) } ?? false }),
            Secrets.masked(content.params).allSatisfy({ run.params[$0.key] == $0.value })
        else { return false }
        let models = content.items.filter { $0.role == .model }
        let made = Dictionary(run.outputs.map { ($0.path, $0.digest) }) { $1 }
        guard models.allSatisfy({ made[$0.path] == nil || made[$0.path] == $0.digest }) else { return false }
        // Nothing that the run made is there: it says nothing of this commit.
        return !content.metrics.isEmpty || models.contains { made[$0.path] == $0.digest }
    }

    private static func same(_ a: Double, _ b: Double) -> Bool { a == b || (a.isNaN && b.isNaN) }

    private func isExact(_ run: Run, _ commit: Commit) throws -> Bool {
        let made = Set(run.outputs.map(\.path) + settings.metrics)
        let plots = settings.plots.map { PathPattern($0) }
        return try repository.changedPaths(from: run.commit, to: commit.id).allSatisfy { path in
            made.contains(path) || path.hasPrefix("dvclive/") || plots.contains { $0.matches(path) }
        }
    }
}
