internal import Base
internal import GitKit
internal import Models
internal import Runs
internal import Storage

/// A candidate and the stage it might go into, as `gate` and `review` are told of them.
struct StageTrial {
    let store: RunStore
    let project: Project
    let registry: Registry
    let entry: ModelEntry
    let model: ModelSettings
    let stage: String
    let settings: StageSettings
    let candidate: ObjectID

    init(model name: String, stage: String, candidate word: String) throws {
        store = try RunStore.current()
        let repository = store.repository
        project = try Project.here(repository)
        let (name, model) = try project.model(name)
        guard let settings = project.stage(stage, of: name) else {
            throw ModelFailure.unknownStage(stage, known: Array(project.stages.keys))
        }
        registry = try Registry(repository, allowLight: project.allowsLightTags)
        let store = store
        candidate = try Candidate.find(
            word, of: name, path: model.path, registry: registry, repository: repository, runs: { store }
        ).commit
        entry = registry.models[name] ?? ModelEntry(name: name)
        self.model = model
        self.stage = stage
        self.settings = settings
    }

    /// Tries the gates of some kinds; a person is told what takes a while.
    func results(_ kinds: GateKinds) async throws -> [GateResult] {
        let (repository, project) = (store.repository, project)
        let check = try GateCheck(
            repository, store: store, policy: repository.workTree == nil ? repository.head() : nil, registry: registry,
            remote: { try DataRemote(repository, project: project).own() },
            say: { Terminal.error("git-ml: \(Terminal.safe($0))") })
        return try await check.check(
            settings, model: entry.name, path: model.path, candidate: candidate,
            current: entry.desired[stage]?.commit, kinds: kinds)
    }
}
