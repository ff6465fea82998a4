internal import Base
public import GitKit
internal import Pointers
internal import SystemPackage

/// Tells which runs are recorded already, by their ids.
final class KnownRuns {
    private let repository: Repository
    private let index: RunIndex?
    /// Whether it can tell: without an index, and with too many notes to build one in a hook, it cannot.
    let isReady: Bool

    /// Notes on so many commits are read in a few milliseconds.
    private static let few = 500

    init(_ repository: Repository, mayBuildIndex: Bool) {
        self.repository = repository
        let hasIndex = Files.exists(repository.mlDirectory.appending("index.sqlite"))
        let isSmall = { ((try? RunLog(repository).notes.objects().count) ?? .max) <= Self.few }
        guard mayBuildIndex || hasIndex || isSmall() else {
            index = nil
            isReady = false
            return
        }
        index = try? RunIndex.open(repository)
        isReady = index != nil
    }

    /// A run that the notes hold, deleted ones included; nil when they do not.
    func run(_ id: UUIDv7) throws -> Run? {
        guard let index, let key = RunKey(id.description) else { return nil }
        return try index.read { try IndexLookup($0).run(key) }
    }
}

/// The commit that a tool has noted down as a run's source.
public struct SourceCommit: Sendable {
    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// The commit in the tag `mlflow.source.git.commit` if it is here, else `code`.
    ///
    /// When that commit is `code` or its parent, it is `code`: the run was made just before its work was committed.
    public func code(of record: RunRecord, else code: ObjectID) throws -> ObjectID {
        guard let source = record.tags["mlflow.source.git.commit"].flatMap({ ObjectID($0) }),
            try repository.header(source)?.kind == .commit
        else { return code }
        return try repository.commit(code).parents.contains(source) ? code : source
    }
}

extension RunRecord {
    /// Lets the record tell only what is new of curves that have grown since the run was recorded.
    mutating func goOn(from run: Run) {
        code = run.commit
        for (key, points) in series {
            // A curve of one point is in no content yet; one that does not begin as it did is written anew.
            guard let old = run.metrics[key], old.count > 1, let count = Int(exactly: old.count), count <= points.count,
                let before = MetricSummary(Array(points[..<count])), before.isSame(as: old)
            else { continue }
            recorded[key] = count
        }
    }

    /// Whether a recorded run says all of this already: then another clone has taken it in.
    public func isCovered(by run: Run) -> Bool {
        guard end.map({ $0.status.rawValue == run.status }) ?? true else { return false }
        guard params.allSatisfy({ run.params[$0.key] == $0.value }) else { return false }
        guard tags.keys.allSatisfy({ run.tags[$0] != nil }) else { return false }
        for (key, points) in series {
            guard let mine = MetricSummary(points), let other = run.metrics[key], mine.isSame(as: other) else {
                return false
            }
        }
        return outputs.allSatisfy { item in run.outputs.contains { $0.path == item.path && $0.digest == item.digest } }
    }
}

extension MetricSummary {
    fileprivate func isSame(as other: MetricSummary) -> Bool {
        func isSame(_ a: Double, _ b: Double) -> Bool { a == b || (a.isNaN && b.isNaN) }
        return count == other.count && step == other.step && firstStep == other.firstStep && isSame(last, other.last)
            && isSame(min, other.min) && isSame(max, other.max)
    }
}
