internal import Base
internal import GitKit
internal import Pointers
internal import Runs
internal import Storage

/// Whether a run could be run again, going by what is recorded; nothing is executed or fetched for it.
public struct Reproducibility: Sendable, Equatable {
    public enum Verdict: String, Sendable {
        /// Somebody did (`git ml reproduce`), and it came out the same.
        case reproduced
        /// Code, command, data and environment are recorded.
        case recorded
        /// Something that may matter is not recorded.
        case incomplete
        /// It cannot be run again, or came out differently.
        case no
    }

    public internal(set) var verdict: Verdict
    /// Why, in sentences without a full stop.
    public internal(set) var reasons: [String]

    static func none(_ reason: String) -> Reproducibility { Reproducibility(verdict: .no, reasons: [reason]) }

    /// Looks at a run.
    static func of(_ run: Run, in store: RunStore) throws -> Reproducibility {
        if let repeated = try Self.repeated(run, in: store) { return repeated }
        let hard = try obstacles(run, store.repository)
        if !hard.isEmpty { return Reproducibility(verdict: .no, reasons: hard) }
        let soft = try gaps(run, store.repository)
        return Reproducibility(verdict: soft.isEmpty ? .recorded : .incomplete, reasons: soft)
    }

    /// What came of it when somebody ran it again.
    private static func repeated(_ run: Run, in store: RunStore) throws -> Reproducibility? {
        guard let id = run.tags[Reproduction.reproducedByTag], let again = try store.run(id: id),
            let word = again.tags[Reproduction.verdictTag]
        else { return nil }
        let isGood = [
            ReproductionReport.Verdict.reproduced, .withinTolerance,
        ].map(\.rawValue).contains(word)
        let by = again.user.map { " by \($0)" } ?? ""
        return Reproducibility(
            verdict: isGood ? .reproduced : .no,
            reasons: ["run again\(by) on \(again.started.minutes): \(word) (\(id.prefix(12)))"])
    }

    private static func obstacles(_ run: Run, _ repository: Repository) throws -> [String] {
        var reasons: [String] = []
        if run.command.isEmpty { reasons.append("no command is recorded: the run comes from \(origin(run))") }
        if run.command.contains(where: { $0.contains(Secrets.mask) }) {
            reasons.append("the command had a secret in it, which was not kept")
        }
        if try repository.header(run.commit) == nil {
            reasons.append("the code \(run.commit.short) is not in this clone")
        }
        return reasons
    }

    private static func origin(_ run: Run) -> String {
        switch run.source {
        case "commit": "a commit"
        case "import": "an import"
        case let other: other
        }
    }

    private static func gaps(_ run: Run, _ repository: Repository) throws -> [String] {
        var reasons: [String] = []
        if !run.leftOut.isEmpty {
            reasons.append("not kept with the code: \(listed(run.leftOut))")
        }
        let (store, kept) = (repository.contentStore, KeptObjects(repository).store)
        let absent = try run.inputs.filter { item in
            if item.size == 0 || store.contains(item.digest, size: item.size) { return false }
            if kept.contains(item.digest, size: item.size) { return false }
            return try repository.file(item.path, in: run.commit).map { Digest.of($0) } != item.digest
        }
        if !absent.isEmpty { reasons.append("data that is not in this clone: \(listed(absent.map(\.path)))") }
        if run.environment["lock"]?.string == nil { reasons.append("the code has no lock file for its environment") }
        return reasons
    }

    private static func listed(_ names: [String]) -> String {
        names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
    }
}
