internal import Base
public import GitKit
internal import Pointers
public import Runs

/// Holds tags of models against policy.
public struct PolicyCheck: Sendable {
    private let policy: Policy
    private let tags: [ModelName: [(tag: ModelTag, ref: TagRef)]]
    private let runs: @Sendable () throws -> RunStore
    private var repository: Repository { policy.repository }

    /// `tags` are those that there are, with or without the one that is looked at; `runs` is opened when a stage asks for
    /// approvals.
    public init(_ policy: Policy, tags: [TagRef], runs: @escaping @Sendable () throws -> RunStore) {
        self.policy = policy
        let parsed = tags.compactMap { ref in ModelTag(ref.name).map { (tag: $0, ref: ref) } }
        self.tags = Dictionary(grouping: parsed) { $0.tag.model }
        self.runs = runs
    }

    /// What stands against a tag that puts a model into a stage, or takes it out; others have nothing against them.
    ///
    /// Everything that is wrong is listed, as far as it can be looked at.
    public func verdict(on ref: TagRef) async throws -> PolicyVerdict {
        var verdict = PolicyVerdict()
        guard let tag = ModelTag(ref.name), let (stage, isAssigned) = tag.stage else { return verdict }
        verdict.refusals = Self.form(of: ref, allowsLight: policy.project.allowsLightTags)
        guard verdict.refusals.isEmpty else { return verdict }
        guard let model = policy.project.models[tag.model] else {
            verdict.refusals = [
                .noModel("\(tag.model)", known: policy.project.models.keys.map(\.description).sorted())
            ]
            return verdict
        }
        guard let settings = policy.project.stage(stage, of: tag.model) else {
            verdict.refusals = [
                .noStage(stage, known: Set(policy.project.stages.keys).union(model.stages.keys).sorted())
            ]
            return verdict
        }
        if isAssigned {
            verdict.refusals += try place(ref.target, model, settings)
            verdict.notices += try differences(at: ref.target, model: tag.model, stage: stage, settings)
        }
        let signature = try await signature(of: ref, settings, stage)
        verdict.signer = signature.signer
        verdict.refusals += signature.refusals
        verdict.refusals += try statement(of: ref, tag, stage, isAssigned: isAssigned, model, settings)
        if isAssigned {
            verdict.refusals += try await approvals(of: ref, tag.model, stage, model, settings, verdict.signer)
        }
        return verdict
    }

    /// What is wrong with a tag before any policy: a light one, one on no commit, one that was made for another name.
    public static func form(of ref: TagRef, allowsLight: Bool) -> [PolicyRefusal] {
        if ref.targetKind != .commit { return [.notOnCommit(ref.targetKind)] }
        guard let object = ref.object else { return allowsLight ? [] : [.light] }
        return object.name == ref.name ? [] : [.otherName(object.name)]
    }

    // MARK: - The commit

    private func place(_ commit: ObjectID, _ model: ModelSettings, _ settings: StageSettings) throws -> [PolicyRefusal]
    {
        var refusals: [PolicyRefusal] = []
        if settings.requiresReachable, try !repository.isAncestor(commit, of: policy.commit) {
            refusals.append(
                repository.isShallow
                    ? .historyCutOff(commit: commit) : .unreachable(commit: commit, branch: policy.branch))
        }
        if try repository.entry(model.path, in: commit) == nil {
            refusals.append(.noFile(path: model.path, commit: commit))
        }
        return refusals
    }

    /// What the tagged commit says about policy and does not count.
    private func differences(
        at commit: ObjectID, model: ModelName, stage: String, _ settings: StageSettings
    ) throws -> [String] {
        func says(_ what: String) -> String {
            "\(what) at the tagged commit \(commit.short) differs from the protected branch's, and does not count"
        }
        func isSame(_ path: String) throws -> Bool {
            try repository.entry(path, in: commit)?.id == repository.entry(path, in: policy.commit)?.id
        }
        var notices: [String] = []
        if try !isSame(Project.fileName) {
            let theirs = try? Project.at(commit, in: repository)
            if theirs?.stage(stage, of: model) != settings {
                notices.append(says("what \(Project.fileName) asks of “\(stage)”"))
            }
        }
        if let file = settings.signers?.file, try !isSame(file) { notices.append(says(file)) }
        return notices
    }

    // MARK: - The signature

    private func signature(
        of ref: TagRef, _ settings: StageSettings, _ stage: String
    ) async throws -> (signer: Signer?, refusals: [PolicyRefusal]) {
        guard let asked = settings.signers else { return (nil, []) }
        guard ref.object != nil else { return (nil, [.signature(.unsigned)]) }
        do {
            let signer = try await signer(of: ref, policy.signers(asked))
            if asked.allows(signer) { return (signer, []) }
            return (signer, [.notAllowed(names: signer.names, stage: stage, allowed: asked.names)])
        } catch let refusal as PolicyRefusal {
            return (nil, [refusal])
        } catch let failure as SignatureFailure {
            return (nil, [.signature(failure)])
        }
    }

    private func signer(of ref: TagRef, _ signers: Signers) async throws -> Signer {
        do {
            return try await signers.verify(tag: ref.id, in: repository)
        } catch SignatureFailure.unknownKey(let key, let file) {
            if try await isRemoved(file, ref) { throw SignatureFailure.removedKey(key, file: file) }
            throw SignatureFailure.unknownKey(key, file: file)
        }
    }

    /// Whether the protected branch trusted the key when it stood at the tagged commit.
    private func isRemoved(_ file: String, _ ref: TagRef) async throws -> Bool {
        guard try repository.isAncestor(ref.target, of: policy.commit),
            let before = try Signers(file, at: ref.target, in: repository)
        else { return false }
        return (try? await before.verify(tag: ref.id, in: repository)) != nil
    }

    // MARK: - Approvals

    private func approvals(
        of ref: TagRef, _ name: ModelName, _ stage: String, _ model: ModelSettings, _ settings: StageSettings,
        _ signer: Signer?
    ) async throws -> [PolicyRefusal] {
        guard settings.approvals > 0 else { return [] }
        let signers: Signers?
        do { signers = try settings.signers.map { try policy.signers($0) } } catch let refusal as PolicyRefusal {
            return [refusal]
        }
        let count = try await ApprovalCount(
            signers: signers, repositoryID: policy.project.repositoryID,
            involved: involved(ref, model, signer)
        ).count(try ApprovalLog(repository).approvals(of: name, at: ref.target, for: stage))
        let needed = Int(clamping: settings.approvals)
        if count.people.count >= needed { return [] }
        return [.approvals(count: count.people.count, needed: needed, passedOver: count.passedOver)]
    }

    /// Those whose own approval does not count.
    private func involved(_ ref: TagRef, _ model: ModelSettings, _ signer: Signer?) throws -> [ApprovalCount.Involved] {
        var involved: [ApprovalCount.Involved] = []
        if let tagger = ref.object?.tagger {
            involved.append(ApprovalCount.Involved(name: tagger.email, part: "made the tag"))
        }
        for name in (signer?.names ?? []) + (signer.map { [$0.key] } ?? []) {
            involved.append(ApprovalCount.Involved(name: name, part: "signed the tag"))
        }
        return try ApprovalCount.makers(of: ref.target, path: model.path, in: repository, runs: runs) + involved
    }
}

// MARK: - The statement

extension PolicyCheck {
    /// What a statement says must be true, wherever there is one; a strict stage asks for one, and for its chain.
    private func statement(
        of ref: TagRef, _ tag: ModelTag, _ stage: String, isAssigned: Bool, _ model: ModelSettings,
        _ settings: StageSettings
    ) throws -> [PolicyRefusal] {
        let statement = ref.object == nil ? nil : StageStatement(try repository.signedTag(ref.id))
        guard let statement else { return settings.isStrict && isAssigned ? [.noStatement] : [] }
        var refusals: [PolicyRefusal] = []
        func expect(_ key: String, _ says: String?, _ truth: String) {
            if says == truth || (says == nil && !settings.isStrict) || (says == nil && truth.isEmpty) { return }
            refusals.append(.statement(key: key, says: says ?? "", is: truth))
        }
        expect("repo", statement.repositoryID, policy.project.repositoryID ?? "")
        expect("model", statement.model, "\(tag.model)")
        expect("stage", statement.stage, stage)
        expect("counter", statement.counter, tag.counter.map { "\($0)" } ?? "none")
        expect("commit", statement.commit, ref.target.hex)
        if let end = statement.end, end < .now() { refusals.append(.ended(statement.expires ?? "")) }
        guard isAssigned else { return refusals }
        expect(
            "model-digest", statement.modelDigest,
            try repository.modelDigest(model.path, at: ref.target)?.description ?? "")
        if let version = statement.version, !isRegistered(version, tag.model, ref.target) {
            refusals.append(.statement(key: "version", says: version, is: "none with a tag on that commit"))
        }
        if settings.isStrict { refusals += chain(statement, tag, stage) }
        return refusals
    }

    /// The tags of a model that count.
    private func counted(_ model: ModelName) -> [(tag: ModelTag, ref: TagRef)] {
        (tags[model] ?? []).filter { $0.ref.object != nil || policy.project.allowsLightTags }
    }

    private func isRegistered(_ version: String, _ model: ModelName, _ commit: ObjectID) -> Bool {
        guard let version = SemanticVersion(version) else { return false }
        let tags = counted(model)
        return tags.contains { $0.tag.action == .register(version) && $0.ref.target == commit }
            && !tags.contains { $0.tag.action == .deregister(version) }
    }

    /// The tag that the statement names as the one before must be the one before: that of the highest counter below its own,
    /// where none has a counter any without.
    private func chain(_ statement: StageStatement, _ tag: ModelTag, _ stage: String) -> [PolicyRefusal] {
        let others = counted(tag.model).filter {
            $0.tag.stage?.name == stage && $0.tag.counter ?? 0 < tag.counter ?? 0
        }.map { (counter: $0.tag.counter ?? 0, id: $0.ref.id.hex) }
        let highest = others.map(\.counter).max()
        let before = others.filter { $0.counter == highest }.map(\.id)
        let says = statement.previous ?? ""
        if before.contains(says) || (before.isEmpty && says.isEmpty) { return [] }
        if !says.isEmpty, !counted(tag.model).contains(where: { $0.ref.id.hex == says }) {
            return [.previousGone(says)]
        }
        return [.statement(key: "previous", says: says, is: before.first ?? "none")]
    }
}

extension ModelTag {
    /// The stage that the tag speaks of, and whether it puts the commit there or takes it out.
    var stage: (name: String, isAssigned: Bool)? {
        switch action {
        case .assign(let stage): (stage, true)
        case .unassign(let stage): (stage, false)
        default: nil
        }
    }
}
