internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs
internal import Storage

/// What `gate` and `review` are told.
struct TrialOptions: ParsableArguments {
    @Argument(help: "The model, or with the candidate in it: NAME@VERSION, NAME#STAGE, models:/NAME/N.")
    var model: ModelArgument

    @Argument(help: "The stage.")
    var stage: String

    @Argument(help: "A version, commit or run, or the #STAGE it is in now; default: HEAD.")
    var candidate: String?

    @Flag(help: "Go by ml.yaml as it is in the work tree, not by that of the protected branch.")
    var workTree = false
}

/// A candidate and the stage it might go into.
struct StageTrial {
    let store: RunStore
    let registry: Registry
    let entry: ModelEntry
    let model: ModelSettings
    let stage: String
    let settings: StageSettings
    let candidate: ObjectID
    let project: Project
    /// Where the settings come from; nil: the work tree.
    let policy: ObjectID?

    /// The settings are those of the protected branch where it is known and wanted, else those of the work tree.
    init(_ options: TrialOptions) throws {
        store = try RunStore.current()
        let repository = store.repository
        let own = try Project.here(repository)
        let stage = options.stage
        let (project, policy) = try Self.policy(
            repository, own, options.workTree, model: options.model.name, stage: stage)
        (self.project, self.policy) = (project, policy)
        let (name, model) = try project.model(options.model.name)
        guard let settings = project.stage(stage, of: name) else {
            throw ModelFailure.unknownStage(stage, known: Array(project.stages.keys))
        }
        if policy != nil, repository.workTree != nil, own.stage(stage, of: name) != settings {
            Terminal.error(
                "git-ml: ml.yaml in the work tree asks something else of “\(stage)” than the protected branch, which counts; "
                    + "--work-tree tries it")
        }
        registry = try Registry(repository, allowLight: project.allowsLightTags)
        let store = store
        candidate = try Candidate.find(
            options.model.version(or: options.candidate) ?? "HEAD", of: name, path: model.path, registry: registry,
            repository: repository, runs: { store }
        ).commit
        entry = registry.models[name] ?? ModelEntry(name: name)
        self.model = model
        self.stage = stage
        self.settings = settings
    }

    private static func policy(_ repository: Repository, _ own: Project, _ isOwn: Bool, model: String, stage: String)
        throws -> (Project, ObjectID?)
    {
        if isOwn { return (own, nil) }
        if repository.workTree != nil, try repository.remotes().isEmpty { return (own, nil) }
        let policy: Policy?
        do { policy = try Policy.protected(repository) } catch is UnknownDefaultBranch { return (own, nil) }
        guard let policy else { return (own, nil) }
        if let name = ModelName(model), repository.workTree != nil, own.models[name] != nil,
            policy.project.models[name] == nil || policy.project.stage(stage, of: name) == nil
        {
            Terminal.error(
                "git-ml: the protected branch does not know “\(model)” and “\(stage)” yet; ml.yaml in the work tree is tried"
            )
            return (own, nil)
        }
        return (policy.project, policy.commit)
    }

    /// Tries the gates of some kinds; a person is told what takes a while.
    func results(_ kinds: GateKinds) async throws -> [GateResult] {
        let (repository, project) = (store.repository, project)
        let check = try GateCheck(
            repository, store: store, policy: policy, registry: registry,
            remote: DataRemote(repository, project: project).source,
            say: { Terminal.error("git-ml: \(Terminal.safe($0))") })
        do {
            return try await check.check(
                settings, model: entry.name, path: model.path, candidate: candidate,
                current: entry.desired[stage]?.commit, kinds: kinds)
        } catch let interruption as GateInterrupted {
            throw ExitCode(128 + interruption.signal)
        }
    }
}
