internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Runs
internal import Storage

extension AssignmentDelivery {
    func verify() async throws -> (model: ModelSettings, stage: StageSettings) {
        let answer = try await refusal()
        for notice in answer.notices { say("  notice: \(notice)") }
        if let refusal = answer.refusal { throw refusal }
        guard let settings = policy.models[model.name], let stage = policy.stage(stage, of: model.name) else {
            throw Refusal("\(Project.fileName) on the protected branch does not name it")
        }
        return (settings, stage)
    }

    /// What policy says no to, nil when to nothing, and what is worth telling.
    ///
    /// Everything is looked at here again, whatever the hooks of the server and of whoever pushed have let through.
    func refusal() async throws -> (refusal: Refusal?, notices: [String]) {
        if let barred { return (barred, []) }
        guard let tag = try repository.tagRef(assignment.tag, at: assignment.tagID) else {
            return (Refusal("the tag object \(assignment.tagID.short) is not here"), [])
        }
        let check = PolicyCheck(rules, tags: tags) { [repository] in try RunStore(repository) }
        var verdict = try await check.verdict(on: tag)
        if verdict.refusals.contains(.historyCutOff(commit: assignment.commit)), try await bringHistory() {
            verdict = try await check.verdict(on: tag)
        }
        if let first = verdict.refusals.first {
            let reason = verdict.refusals.map { "\($0)" }.joined(separator: "; ")
            return (
                Refusal(reason, code: first.code, waits: verdict.refusals.allSatisfy(\.waits), hints: first.hints),
                verdict.notices
            )
        }
        let unsupported = policy.stage(stage, of: model.name)?.unsupported ?? []
        if unsupported.isEmpty { return (nil, verdict.notices) }
        return (
            Refusal("the stage asks for what this version cannot check: \(unsupported.joined(separator: ", "))"),
            verdict.notices
        )
    }

    /// A shallow clone answers questions about history wrongly: the rest is brought; false: there is no remote that has it.
    private func bringHistory() async throws -> Bool {
        let remotes = try repository.remotes()
        guard let remote = remotes.contains("origin") ? "origin" : remotes.first else { return false }
        let result = try await repository.git.attempt(["fetch", "--quiet", "--unshallow", "--end-of-options", remote])
        return result.status == 0 && !repository.isShallow
    }

    /// Brings the model's bytes, and only those.
    func fetch() async throws {
        guard let path = policy.models[model.name]?.path else { return }
        let pointers = try PointerScan(repository).pointers(in: assignment.commit).filter {
            $0.path == path || $0.path.hasPrefix(path + "/")
        }
        try await DataTransfer(repository, store: repository.contentStore, remote: dataRemote())
            .fetch(pointers.map(\.pointer))
    }

    func gates(_ settings: StageSettings) async throws {
        let served = try log.all().first {
            $0.model == "\(model.name)" && $0.stage == stage && $0.status == "succeeded"
        }
        let (hub, data) = (hub, policy.data)
        let check = try GateCheck(
            repository, store: RunStore(repository), policy: policyCommit,
            remote: { try data.objectRemote(of: hub.repository, gitRemote: hub.gitRemote) },
            say: { [journal] in journal?.tell("  " + $0) })
        let results = try await check.check(
            settings, model: model.name, path: policy.models[model.name]?.path, candidate: assignment.commit,
            current: served?.commit)
        for result in results {
            say("  \(result.line)")
            for line in result.lines { say("    \(line)") }
        }
        let failed = results.filter { !$0.isPassed }
        guard failed.isEmpty else {
            throw Refusal(failed.map { "gate \($0.text): \($0.detail)" }.joined(separator: "; "))
        }
    }

    func dataRemote() throws -> any ObjectRemote {
        try policy.data.objectRemote(of: repository, gitRemote: hub.gitRemote)
    }
}
