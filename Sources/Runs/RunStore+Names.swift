public import Base
public import GitKit

extension RunStore {
    /// The one run that a person means: a unique prefix of its id (four digits at least), its name, a commit, branch or
    /// `HEAD`, or `best:metrics.auc` (`best:-metrics.loss` for the lowest).
    ///
    /// A whole id comes first, then a name, then a prefix, then a commit. Throws a failure of kind `notFound` when there is
    /// none, and one that lists them when there are several.
    public func run(named name: String) throws -> Run {
        if let run = try run(id: name) { return run }
        if name.hasPrefix("best:") { return try best(String(name.dropFirst(5))) }
        for candidates in [try runs(called: name), try runs(startingWith: name)] where !candidates.isEmpty {
            return try only(candidates, name)
        }
        guard let commit = try? repository.resolve(name) else { throw UnknownRun(name: name) }
        let candidates = try runs(at: commit)
        if candidates.isEmpty { throw UnknownRun(name: name, commit: commit) }
        return try only(candidates, name)
    }

    /// The runs whose code is a commit, or that are linked to it, in the order of their start; without deleted ones.
    public func runs(at commit: ObjectID) throws -> [Run] {
        let own = running.filter { $0.commit == commit || $0.links.contains(commit) }
        let others = try index.read { try IndexLookup($0).runs(at: commit) }
        return overlaid(others, own).filter { !$0.isDeleted }
    }

    private func runs(called name: String) throws -> [Run] {
        let others = try index.read { try IndexLookup($0).runs(called: name) }
        return overlaid(others, running.filter { $0.name == name }).filter { !$0.isDeleted }
    }

    private func runs(startingWith prefix: String) throws -> [Run] {
        guard (4...32).contains(prefix.utf8.count),
            prefix.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return [] }
        let others = try index.read { try IndexLookup($0).runs(startingWith: prefix, limit: 11) }
        return overlaid(others, running.filter { $0.id.hasPrefix(prefix) })
    }

    private func overlaid(_ indexed: [Run], _ running: [Run]) -> [Run] {
        let newer = Set(self.running.map(\.id))
        return (indexed.filter { !newer.contains($0.id) } + running).sorted {
            ($0.started, $0.id) < ($1.started, $1.id)
        }
    }

    private func only(_ candidates: [Run], _ name: String) throws -> Run {
        guard candidates.count == 1, let run = candidates.first else {
            throw AmbiguousRun(name: name, candidates: candidates)
        }
        return run
    }

    private func best(_ key: String) throws -> Run {
        var query = RunQuery()
        let isLowest = key.hasPrefix("-")
        let key = isLowest ? String(key.dropFirst()) : key
        query.sort = [RunQuery.SortKey(key, isDescending: !isLowest)]
        query.filter = try Filter("\(key) is not null")
        query.limit = 1
        guard let run = try runs(query).first else { throw UnknownRun(name: "best:" + key) }
        return run
    }
}

/// A name that is no run's.
public struct UnknownRun: Failure, Equatable {
    public let name: String
    /// The commit that the name means, when it is one.
    public var commit: ObjectID?

    public var kind: FailureKind { .notFound }
    public var description: String {
        if name.hasPrefix("best:") { return "no run has the value that “\(name)” asks for" }
        return commit.map { "“\(name)” is the commit \($0.short), and no run is recorded on it" }
            ?? "“\(name)” names no run: no id, name, commit or branch"
    }
    public var hints: [String] { ["`git ml runs --all` lists them"] }
}

/// A name that is several runs'.
public struct AmbiguousRun: Failure {
    public let name: String
    public let candidates: [Run]

    public var kind: FailureKind { .user }
    public var description: String {
        let shown = candidates.prefix(10).map { $0.id + ($0.name.map { " (\($0))" } ?? "") }
        return "“\(name)” names several runs: " + shown.joined(separator: ", ")
            + (candidates.count > shown.count ? ", …" : "")
    }
    public var hints: [String] { ["name it by more of its id"] }
}
