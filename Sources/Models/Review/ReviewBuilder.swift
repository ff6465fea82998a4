internal import Base
public import GitKit
internal import Pointers
public import Runs

/// Makes a ``Review`` of two commits from what is recorded and stored here; nothing is fetched.
public struct ReviewBuilder: Sendable {
    private let store: RunStore
    private let entry: ModelEntry
    private let settings: ModelSettings
    private let stage: StageSettings
    private let policy: ObjectID?
    private let repositoryID: String?
    private var repository: Repository { store.repository }

    /// `entry` is what the tags say of the model, `settings` and `stage` what `ml.yaml` does.
    ///
    /// `policy` is the commit whose signers count, nil: HEAD; `repositoryID` the `repo:` of `ml.yaml`.
    public init(
        store: RunStore, entry: ModelEntry, settings: ModelSettings, stage: StageSettings, policy: ObjectID? = nil,
        repositoryID: String? = nil
    ) {
        self.policy = policy
        self.repositoryID = repositoryID
        self.store = store
        self.entry = entry
        self.settings = settings
        self.stage = stage
    }

    /// Compares a candidate with what is in the stage; `gates` are the results to show.
    public func review(_ candidate: ObjectID, for name: String, gates: [GateResult]) async throws -> Review {
        let assignment = entry.desired[name]
        let new = try side(candidate)
        let old = try assignment.map { try side($0.commit) }
        var review = Review(
            model: entry.name, stage: name, candidate: new, current: old, assignment: assignment,
            reproducibility: try new.run.map { try Reproducibility.of($0, in: store) }
                ?? .none(new.problem ?? "no run is recorded"))
        review.gates = gates
        review.approvals = try ApprovalLog(repository).approvals(of: entry.name, at: candidate, for: name)
        review.approvalsAsked = stage.approvals
        review.objections = try await objections(review.approvals, candidate)
        review.metrics = metrics(old?.run, new.run)
        review.params = Self.differences(old?.run?.params ?? [:], new.run?.params ?? [:], old != nil)
        review.environment = Self.differences(
            Self.environment(old?.run), Self.environment(new.run), old?.run != nil && new.run != nil)
        guard assignment?.commit != candidate else { return review }
        review.data = try DataComparison(repository: repository, modelPath: settings.path).changes(
            from: assignment?.commit, to: candidate)
        if let old { review.code = try await code(old.commit.id, candidate, without: review.data) }
        return review
    }

    /// As the runner counts them; without a file of signers nobody's signature is good.
    private func objections(_ approvals: [Approval], _ candidate: ObjectID) async throws -> [String?] {
        if approvals.isEmpty { return [] }
        let signers = try stage.signers.map { asked in
            let commit = try policy ?? repository.head()
            return try commit.flatMap { try Signers(asked.file, at: $0, in: repository) }
                ?? Signers(file: asked.file, bytes: [])
        }
        let makers = try ApprovalCount.makers(of: candidate, path: settings.path, in: repository) { store }
        return try await ApprovalCount(signers: signers, repositoryID: repositoryID, involved: makers)
            .count(approvals).objections
    }

    private func side(_ commit: ObjectID) throws -> Review.Side {
        var side = Review.Side(commit: try repository.commit(commit))
        side.version = entry.version(at: commit)?.version
        side.size = try size(of: settings.path, at: commit)
        switch try CandidateRuns(store: store, model: entry.name, path: settings.path).behind(commit) {
        case .none: side.problem = "no run is recorded on \(commit.short)"
        case .one(let run): side.run = run
        case .several(let failure): side.problem = "\(failure)"
        }
        return side
    }

    /// The bytes of a file or of all files in a folder: those that pointers name, else git's own.
    private func size(of path: String, at commit: ObjectID) throws -> Int64? {
        guard let entry = try repository.entry(path, in: commit) else { return nil }
        var total: Int64 = 0
        func add(_ entry: TreeEntry) throws {
            guard [.file, .executable].contains(entry.mode), let header = try repository.header(entry.id) else {
                return
            }
            var size = Int64(header.size)
            if header.size <= Pointer.maximumLength {
                let bytes = try repository.blob(entry.id)
                if let pointer = try? Pointer.parse(bytes, path: path) { size = pointer.size }
            }
            total += size
        }
        if entry.mode == .directory {
            try repository.walk(entry.id) { _, entry in try add(entry) }
        } else {
            try add(entry)
        }
        return total
    }

    private func metrics(_ old: Run?, _ new: Run?) -> [Review.Metric] {
        let asked = stage.expressions.reduce(into: [String: MetricDirection]()) {
            $0.merge($1.filter.directions) { a, _ in a }
        }
        let (before, after) = (old?.values ?? [:], new?.values ?? [:])
        // A model's own `<model>/<key>` stands there as `<key>` already.
        let prefix = entry.name.description + "/"
        return Set(before.keys).union(after.keys).filter { !$0.hasPrefix(prefix) }.sorted().map { key in
            Review.Metric(
                key: key, old: before[key], new: after[key],
                direction: asked[key] ?? MetricDirection(wellKnown: key))
        }
    }

    private static func differences(_ old: [String: String], _ new: [String: String], _ isCompared: Bool)
        -> [Review.Value]
    {
        guard isCompared else { return [] }
        return Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }.sorted().map {
            Review.Value(key: $0, old: old[$0], new: new[$0])
        }
    }

    private static func environment(_ run: Run?) -> [String: String] {
        var texts: [String: String] = [:]
        for member in run?.environment.members ?? [] where member.value != .null && member.value != .array([]) {
            let values = member.value.array?.map { $0.string ?? $0.description }
            texts[member.key] = values?.joined(separator: ", ") ?? member.value.string ?? member.value.description
        }
        return texts
    }

    private func code(_ old: ObjectID, _ new: ObjectID, without data: [DataChange]) async throws -> [Review.CodeChange]
    {
        let stat = try await repository.git.run([
            "diff", "--numstat", "--no-renames", "-z", "--no-ext-diff", "--no-textconv", "--end-of-options", old.hex,
            new.hex,
        ])
        let others = Set(data.map { $0.isDataset ? $0.path + DatasetPointer.suffix : $0.path })
        return stat.split(separator: "\0").compactMap { entry in
            let parts = entry.split(separator: "\t", maxSplits: 2)
            guard parts.count == 3 else { return nil }
            let path = String(parts[2])
            if others.contains(path) || path == settings.path || path.hasPrefix(settings.path + "/") { return nil }
            return Review.CodeChange(path: path, added: Int64(parts[0]), deleted: Int64(parts[1]))
        }
    }
}
