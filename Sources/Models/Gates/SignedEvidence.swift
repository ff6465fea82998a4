internal import Base
internal import GitKit
internal import Runs
internal import SystemPackage

/// `evidence: signed`: somebody whose key the stage's `signers` file names has signed for the numbers that gates judge.
///
/// One of two things does:
/// - a signed tag on the candidate whose message has a ``RunStatement`` on its run: `git ml stage --sign` and `git ml register
///   --sign` write it. It vouches for all metrics and parameters, as they were recorded when the tag was made;
/// - the candidate's commit is signed. Then its metrics and parameters files vouch for the values that stand in them, and the
///   run must have the same.
///
/// Notes themselves are not signed: whoever may push can write one. Tags of a run, its name and the like are vouched for by
/// neither, and a gate that asks for them fails. The keys are those of the protected branch, and must be valid now.
struct SignedEvidence: Sendable {
    let repository: Repository
    let store: RunStore
    let model: ModelName
    /// The commit that the signers and the `record` settings come from; nil: the work tree.
    let policy: ObjectID?

    private static let text = "evidence: signed"

    private static func fail(_ detail: String) -> GateResult {
        GateResult(.evidence, text, isPassed: false, detail)
    }

    func check(_ run: Run, _ stage: StageSettings, on commit: ObjectID) async throws -> GateResult {
        guard let file = stage.signers?.file else { return Self.fail("the stage names no signers") }
        guard let signers = try signers(file) else { return Self.fail("\(file) is not there") }
        let asked = stage.expressions.reduce(into: Filter.Asked()) { $0.add($1.filter.asked) }
        if let other = asked.others.min() { return Self.fail("\(other) is never signed for") }
        var reasons: [String] = []
        for tag in try repository.tags() where tag.target == commit {
            switch try await verdict(on: tag, run, signers) {
            case .success(let detail): return GateResult(.evidence, Self.text, isPassed: true, detail)
            case .failure(let problem): if let reason = problem.reason { reasons.append("\(tag.name): \(reason)") }
            }
        }
        do {
            let signer = try await signers.verify(repository.signedCommit(commit))
            if let problem = try difference(run, asked, at: commit) { return Self.fail(problem) }
            return GateResult(
                .evidence, Self.text, isPassed: true, "the commit is signed by \(signer.names.joined(separator: ", "))")
        } catch let failure as SignatureFailure {
            reasons.append("the commit: \(failure)")
        }
        return Self.fail("nothing vouches for the run \(run.id.prefix(12)): \(reasons.joined(separator: "; "))")
    }

    /// Why a tag does not vouch; no reason for one that does not claim to.
    private struct Problem: Error {
        var reason: String?
    }

    private func verdict(on tag: TagRef, _ run: Run, _ signers: Signers) async throws -> Result<String, Problem> {
        guard let object = tag.object, object.targetKind == .commit else { return .failure(Problem()) }
        let statements = RunStatement.all(in: try repository.signedTag(tag.id)).filter { $0.run == run.id }
        guard let statement = statements.first else { return .failure(Problem()) }
        guard object.name == tag.name else { return .failure(Problem(reason: "it was made as \(object.name)")) }
        guard statements.allSatisfy({ $0 == statement }), try RunStatement(run, in: store) == statement else {
            return .failure(Problem(reason: "what is recorded of the run is not what it vouches for"))
        }
        do {
            let signer = try await signers.verify(tag: tag.id, in: repository)
            return .success("\(tag.name), signed by \(signer.names.joined(separator: ", ")), vouches for the run")
        } catch let failure as SignatureFailure {
            return .failure(Problem(reason: "\(failure)"))
        }
    }

    private func signers(_ file: String) throws -> Signers? {
        if let policy { return try Signers(file, at: policy, in: repository) }
        func read(_ path: String) throws -> [UInt8]? {
            try repository.workTree.flatMap { try Files.read($0.appending(FilePath(path).components)) }
        }
        return try read(file).map { Signers(file: file, bytes: $0, revoked: try read(file + ".revoked") ?? []) }
    }

    /// The first value that the run has otherwise than the signed files; nil when they agree.
    private func difference(_ run: Run, _ asked: Filter.Asked, at commit: ObjectID) throws -> String? {
        let project = try policy.flatMap { try Project.at($0, in: repository) } ?? .inWorkTree(of: repository)
        let values = try CommittedValues(at: commit, in: repository, settings: project.record)
        for key in asked.metrics.sorted() {
            guard let recorded = run.values[key] else { continue }  // that gate fails by itself
            let signed = values.metrics["\(model)/\(key)"] ?? values.metrics[key]
            guard let signed else { return "metrics.\(key) stands in no file of the signed commit" }
            guard recorded == signed || recorded.isNaN else {
                return "metrics.\(key) is \(recorded) in the note and \(signed) in the signed commit"
            }
        }
        for key in asked.params.sorted() {
            guard let recorded = run.params[key] else { continue }
            guard values.params[key] == recorded else {
                return "params.\(key) is \(recorded) in the note and "
                    + "\(values.params[key] ?? "nothing") in the signed commit"
            }
        }
        return nil
    }
}
