internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs

/// Looks at the tags of models in a push before anything is sent: what the server and the runner would refuse, and the gates
/// that need no more than what is recorded.
struct PushedTags {
    private let repository: Repository
    private let remote: String

    init(_ repository: Repository, remote: String) {
        self.repository = repository
        self.remote = remote
    }

    /// Stops the push, with a sentence for each tag; costs nothing when no tag of a model is pushed.
    func check(_ updates: [RefUpdate]) async throws {
        guard updates.contains(where: \.isLikeModelTag) else { return }
        let policy = try await policy(updates)
        // Approvals and runs that others have sent count too.
        if policy != nil { try? await NotesSync(repository).fetch(remote) }
        let result = try await PushCheck(repository, policy: policy, isServer: false) { [repository] in
            try RunStore(repository)
        }.check(updates)
        for notice in result.notices { Terminal.error("git-ml: \(Terminal.safe(notice))") }
        var refused = result.refused.map { ($0.ref, "\($0.failure)", $0.failure.hints) }
        for (ref, failure) in result.almost {
            if Self.isMeantForUs(ref, policy) {
                refused.append((ref, "\(failure)", failure.hints))
            } else {
                Terminal.error("git-ml: passed over \(Terminal.safe(ref)): \(Terminal.safe("\(failure)"))")
            }
        }
        if let policy {
            for tag in result.accepted {
                for gate in try await failedGates(of: tag, policy, but: updates) {
                    refused.append(("refs/tags/\(tag.name)", "the gate \(gate)", []))
                }
            }
        }
        if refused.isEmpty { return }
        for (ref, reason, hints) in refused {
            Terminal.error("git-ml: refused \(Terminal.safe(ref)): \(Terminal.safe(reason))")
            for hint in hints { Terminal.error("git-ml: \(Terminal.safe(hint))") }
        }
        Terminal.error(
            "git-ml: nothing was pushed; `git push --no-verify` pushes without this check, and sends neither data nor runs"
                + " (`git ml push` and `git ml sync` do)")
        throw ExitCode(1)
    }

    /// Whether a tag that breaks the grammar was to stage or register a model, not to mark somebody's package.
    private static func isMeantForUs(_ ref: String, _ policy: Policy?) -> Bool {
        ref.contains("#") || policy?.project.models.keys.contains { ref.hasPrefix("refs/tags/\($0.inTag)@") } ?? false
    }

    /// The policy of the remote's default branch as the push leaves it; nil where it is not known here.
    private func policy(_ updates: [RefUpdate]) async throws -> Policy? {
        guard try repository.remotes().contains(remote), let branch = try await defaultBranch() else { return nil }
        let pushed = updates.first { $0.ref == "refs/heads/\(branch)" }?.new
        guard let commit = try pushed ?? repository.ref("refs/remotes/\(remote)/\(branch)") else { return nil }
        do {
            return try Policy(at: commit, branch: branch, in: repository)
        } catch {
            Terminal.error("git-ml: the policy of \(branch) cannot be read, so tags were not checked: \(error)")
            return nil
        }
    }

    /// The short name of the branch that the remote's `HEAD` names: as it was when the clone was made, else asked for.
    private func defaultBranch() async throws -> String? {
        let prefix = "refs/remotes/\(remote)/"
        let known = try await repository.git.attempt(["symbolic-ref", "--quiet", prefix + "HEAD"])
        if known.status == 0, known.text.hasPrefix(prefix) { return String(known.trimmed.dropFirst(prefix.count)) }
        let asked = try await repository.git.attempt(["ls-remote", "--symref", "--end-of-options", remote, "HEAD"])
        guard asked.status == 0, let line = asked.text.split(separator: "\n").first,
            line.hasPrefix("ref: refs/heads/"),
            let name = line.dropFirst("ref: refs/heads/".count).split(separator: "\t").first
        else { return nil }
        return String(name)
    }

    private func failedGates(of ref: TagRef, _ policy: Policy, but updates: [RefUpdate]) async throws -> [String] {
        guard let tag = ModelTag(ref.name), case .assign(let stage) = tag.action,
            let settings = policy.project.stage(stage, of: tag.model)
        else { return [] }
        let pushed = Set(updates.compactMap(\.tag))
        let registry = Registry(
            try repository.tags().filter { !pushed.contains($0.name) }, allowLight: policy.project.allowsLightTags)
        let store = try RunStore(repository)
        let check = GateCheck(repository, store: store, policy: policy.commit, registry: registry)
        let results = try await check.check(
            settings, model: tag.model, path: policy.project.models[tag.model]?.path, candidate: ref.target,
            current: registry.models[tag.model]?.desired[stage]?.commit, kinds: .recorded)
        return results.filter { !$0.isPassed }.map { "\($0.text) says no: \($0.detail)" }
    }
}
