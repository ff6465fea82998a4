internal import Base
internal import GitKit
internal import Models
internal import Runs

/// Finds the runs that a word on the command line means.
struct RunSelection {
    let store: RunStore

    /// The one run that a name means.
    ///
    /// Of several at a commit it is the one whose results the commit holds: not the runs that started from it, and not
    /// what `git ml reproduce` repeated.
    func run(_ name: String) throws -> Run {
        let name = try meant(name)
        do {
            return try store.run(named: name)
        } catch let failure as AmbiguousRun {
            let own = failure.candidates.filter { $0.tags[Reproduction.reproducesTag] == nil }
            if own.count == 1 { return own[0] }
            guard let commit = try? store.repository.resolve(name) else { throw failure }
            let held = own.filter { $0.links.contains(commit) || ($0.source == "commit" && $0.commit == commit) }
            guard held.count == 1 else { throw failure }
            return held[0]
        }
    }

    /// One run for a name, an id's beginning or `best:…`; for a commit all that were made with its code or linked to it.
    func runs(_ name: String) throws -> [Run] {
        let name = try meant(name)
        let found: Run
        do {
            found = try store.run(named: name)
        } catch let failure as any Failure {
            guard !name.hasPrefix("best:"), let commit = try? store.repository.resolve(name) else { throw failure }
            let runs = try store.runs(at: commit)
            if runs.isEmpty { throw failure }
            return runs
        }
        if name.hasPrefix("best:") || found.id.hasPrefix(name) || found.name == name { return [found] }
        let runs = try store.runs(at: store.repository.resolve(name))
        return runs.isEmpty ? [found] : runs
    }

    /// For a model's version or stage (`churn@v1.2.0`, `churn#prod`) the run behind it, else its commit; other names as they are.
    private func meant(_ name: String) throws -> String {
        guard let address = try? ModelAddress(name), !address.isBare else { return name }
        let models = try ModelProject(store.repository)
        guard models.registry.models[address.model] != nil else { return name }
        let commit = try address.resolve(in: models.registry).commit
        return try store.run(behind: commit, path: models.path(of: address.model))?.id ?? commit.hex
    }

    /// A run that may be a deleted one.
    func deleted(_ name: String) throws -> Run {
        var query = RunQuery()
        query.deleted = true
        let runs = try store.runs(query)
        let found = runs.filter { $0.id.hasPrefix(name) || $0.name == name }
        if let run = found.first(where: { $0.id == name }) ?? found.first, found.count == 1 || run.id == name {
            return run
        }
        if found.isEmpty { return try store.run(named: name) }
        throw SeveralRuns(name: name, ids: found.map(\.id))
    }
}

/// A name that several runs have.
struct SeveralRuns: Failure {
    let name: String
    let ids: [String]

    var kind: FailureKind { .user }
    var description: String { Terminal.safe("“\(name)” names \(ids.count) runs: \(ids.joined(separator: ", "))") }
    var hints: [String] { ["use the beginning of an id"] }
}
