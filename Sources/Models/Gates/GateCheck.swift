internal import Base
public import GitKit
public import Runs
public import Storage

/// Which gates are tried.
public struct GateKinds: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Expressions, and evidence that is signed: what is recorded is read, nothing is executed.
    public static let recorded = GateKinds(rawValue: 1)
    /// Commands, and evidence by running again.
    public static let commands = GateKinds(rawValue: 2)
    /// Checks of data: the bytes are brought from the remote when they are not here.
    public static let data = GateKinds(rawValue: 4)
    public static let all: GateKinds = [.recorded, .commands, .data]
}

/// Tries the gates of a stage on a candidate.
///
/// - Important: with ``GateKinds/commands`` the candidate's code is executed, and with `evidence: rerun` a command that a note
///   names. What they may reach depends on the machine: in bubblewrap next to nothing, without it and not as root all that
///   this user may (``Confinement``). A caller that acts on tags which others have pushed must have accepted the tag by
///   policy (signer, protected branch) before it asks for commands.
public struct GateCheck: Sendable {
    private let repository: Repository
    private let store: RunStore
    private let policy: ObjectID?
    private let registry: Registry?
    private let remote: (@Sendable () throws -> any ObjectRemote)?
    private let say: @Sendable (String) -> Void

    /// - Parameters:
    ///   - repository: Where candidates, tags and data are.
    ///   - store: Its runs.
    ///   - policy: the commit that the stage's settings come from, for the files that they name (schemas, signers); nil:
    ///     the work tree. The candidate's own are never read: they are data.
    ///   - registry: what the tags say, for `best.`; nil: they are read when a gate needs them.
    ///   - remote: where data is brought from that is not here; nil: nowhere.
    ///   - say: is told what happens while it lasts.
    public init(
        _ repository: Repository, store: RunStore, policy: ObjectID? = nil, registry: Registry? = nil,
        remote: (@Sendable () throws -> any ObjectRemote)? = nil,
        say: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.repository = repository
        self.store = store
        self.policy = policy
        self.registry = registry
        self.remote = remote
        self.say = say
    }

    /// One result a gate, in the order of `ml.yaml`; that the candidate's run is known and vouched for comes first.
    ///
    /// `path` is where the model lies: the run that made it there is judged, with the metrics that are the model's own.
    /// `current` is what is in the stage now.
    public func check(
        _ stage: StageSettings, model: ModelName, path: String?, candidate: ObjectID, current: ObjectID?,
        kinds: GateKinds = .all
    ) async throws -> [GateResult] {
        let runs = CandidateRuns(store: store, model: model, path: path)
        var results: [GateResult] = []
        var run: Run?
        let isRerun = stage.evidence == .rerun && kinds.contains(.commands)
        if isRerun || kinds.contains(.recorded), stage.needsRun {
            switch try runs.behind(candidate) {
            case .one(let found): run = found
            case .none:
                results.append(GateResult(.run, "a recorded run", isPassed: false, "none on \(candidate.short)"))
            case .several(let failure):
                results.append(GateResult(.run, "one recorded run", isPassed: false, "\(failure)"))
            }
        }
        if stage.evidence == .signed, kinds.contains(.recorded), let run {
            let evidence = SignedEvidence(repository: repository, store: store, model: model, policy: policy)
            results.append(try await evidence.check(run, stage, on: candidate))
        }
        if isRerun, let run {
            results.append(try await rerun(run, stage, model))
        }
        let references = run == nil ? GateReferences() : try self.references(stage, model, runs, candidate, current)
        let checkout = GateCheckout(owner: repository, remote: remote)
        for gate in stage.gates {
            switch gate {
            case .expression(let expression):
                if kinds.contains(.recorded), let run { results.append(expression.evaluate(run, against: references)) }
            case .command(let command) where kinds.contains(.commands):
                results.append(
                    try await CommandGate(checkout: checkout, model: model, say: say).run(gate, command, on: candidate))
            case .data(let rule) where kinds.contains(.data):
                results.append(
                    try await DataGate(checkout: checkout, policy: policy).check(gate, rule, on: candidate))
            case .command, .data: continue
            }
        }
        return results
    }

    private func rerun(_ run: Run, _ stage: StageSettings, _ model: ModelName) async throws -> GateResult {
        let metrics = stage.expressions.reduce(into: Set<String>()) { $0.formUnion($1.filter.asked.metrics) }
        // As it was recorded, not as the model sees it.
        let recorded = try store.run(id: run.id) ?? run
        return try await RerunEvidence(
            repository: repository, model: model, remote: remote, limits: stage.evidenceLimits, say: say
        ).check(recorded, metrics: metrics)
    }

    private func references(
        _ stage: StageSettings, _ model: ModelName, _ runs: CandidateRuns, _ candidate: ObjectID, _ current: ObjectID?
    ) throws -> GateReferences {
        var references = GateReferences()
        let filters = stage.expressions.map(\.filter)
        if let current, current != candidate, filters.contains(where: \.usesCurrent) {
            references.current = try runs.current(current)
        }
        if filters.contains(where: \.usesBest) {
            let registry = try self.registry ?? Registry(repository)
            references.versions = try runs.versions(registry.models[model]?.versions ?? [], except: candidate)
        }
        return references
    }
}

extension StageSettings {
    var expressions: [GateExpression] {
        gates.compactMap { if case .expression(let expression) = $0 { expression } else { nil } }
    }

    /// Whether anything of it asks for what was recorded.
    var needsRun: Bool { !expressions.isEmpty || evidence != .any }
}
