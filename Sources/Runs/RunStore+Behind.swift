public import Base
public import GitKit
internal import Pointers

extension RunStore {
    /// The run behind a model at a commit, what a gate judges; nil when there is none.
    ///
    /// The run whose outputs name the content that the model has there; failing that the commit's own: the one recorded
    /// from it, or linked to it. Of several that agree in all values it is the latest; several that differ are an error
    /// that lists them. `path` is the model's file or folder; nil for whatever models the runs name.
    ///
    /// A commit that has no run and leaves the model as it was has the run of the commit before it.
    public func run(behind commit: ObjectID, path: String? = nil) throws -> Run? {
        if let run = try run(at: commit, path) { return run }
        guard let path, let model = try repository.entry(path, in: commit)?.id else { return nil }
        var (next, seen): ([ObjectID], Set<ObjectID>) = ([commit], [commit])
        while let commit = next.popLast(), seen.count < Self.longestWay {
            // Where a shallow clone ends nothing is known.
            let parents = (try? repository.commit(commit))?.parents ?? []
            for parent in parents where seen.insert(parent).inserted {
                guard (try? repository.entry(path, in: parent))?.id == model else { continue }
                if let run = try run(at: parent, path) { return run }
                next.insert(parent, at: 0)
            }
        }
        return nil
    }

    /// How many commits are looked at for the one that brought a model.
    private static let longestWay = 2000

    private func run(at commit: ObjectID, _ path: String?) throws -> Run? {
        // What `git ml reproduce` repeated stands for the run that it repeats.
        let candidates = try runs(at: commit).filter { $0.tags[Reproduction.reproducesTag] == nil }
        if candidates.isEmpty { return nil }
        let producers = try self.producers(candidates, of: path, at: commit)
        if !producers.isEmpty { return try agreed(producers, commit) }
        let own = candidates.filter {
            ($0.source == RunRecord.Source.commit.rawValue && $0.commit == commit) || $0.links.contains(commit)
        }
        return try agreed(own, commit)
    }

    private func producers(_ candidates: [Run], of path: String?, at commit: ObjectID) throws -> [Run] {
        let made = Set(candidates.flatMap(\.outputs).filter { $0.role == .model }.map(\.path))
        let wanted = path.map { path in made.filter { $0 == path || $0.hasPrefix(path + "/") } } ?? made
        var contents: [String: Digest] = [:]
        for path in wanted { contents[path] = try content(path, at: commit) }
        return candidates.filter { run in
            run.outputs.contains { $0.role == .model && contents[$0.path] == $0.digest }
        }
    }

    /// What a path holds at a commit: what its pointer names, or the bytes that git keeps.
    private func content(_ path: String, at commit: ObjectID) throws -> Digest? {
        guard let bytes = try repository.file(path, in: commit) else { return nil }
        return (try? Pointer.parse(bytes, path: path))?.digest ?? Digest.of(bytes)
    }

    private func agreed(_ runs: [Run], _ commit: ObjectID) throws -> Run? {
        guard let latest = runs.last else { return nil }
        let agree = runs.allSatisfy { run in
            run.params == latest.params && run.metrics.count == latest.metrics.count
                && run.values.allSatisfy { key, value in
                    latest.values[key].map { $0 == value || ($0.isNaN && value.isNaN) } ?? false
                }
        }
        guard agree else { throw DisagreeingRuns(commit: commit, runs: runs) }
        return latest
    }
}

/// Runs that all claim a commit's model, with different values.
public struct DisagreeingRuns: Failure {
    public let commit: ObjectID
    public let runs: [Run]

    public var kind: FailureKind { .user }
    public var description: String {
        "\(runs.count) runs behind \(commit.short) disagree: " + runs.map(\.id).joined(separator: ", ")
    }
    public var hints: [String] { ["hide those that do not count with `git ml delete RUN`"] }
}
