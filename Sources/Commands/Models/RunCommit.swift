internal import Base
internal import GitKit
internal import Models
internal import Runs

/// Commits the model that a run made, as pointers, on a branch that is checked out nowhere.
///
/// The commit is put together in an index of its own: work tree, index and the current branch are not touched.
struct RunCommit {
    private let model: RunModel
    private let store: RunStore
    private var repository: Repository { store.repository }

    init(_ model: RunModel, _ store: RunStore) {
        self.model = model
        self.store = store
    }

    /// Makes the commit on top of the branch, or on the run's code when there is no such branch yet.
    ///
    /// A branch that holds the model already is left as it is. With `isDryRun` the branch does not move.
    func make(on branch: String, isDryRun: Bool) async throws -> ObjectID {
        let ref = "refs/heads/\(branch)"
        guard try await repository.git.attempt(["check-ref-format", ref]).status == 0, !branch.hasPrefix("-") else {
            throw RunCommitFailure.noBranchName(branch)
        }
        guard !model.outputs.isEmpty else { throw RunCommitFailure.noModel(run: model.run.id, path: model.path) }
        if try await isCheckedOut(ref) { throw RunCommitFailure.checkedOut(branch) }
        let tip = try repository.ref(ref)
        if let tip, try model.isHeld(by: tip, in: repository) { return tip }
        let parent = tip ?? model.run.commit
        let pointers = PointerCommit(repository, model.outputs)
        if let item = try pointers.keepContent() {
            throw RunCommitFailure.noContent(run: model.run.id, path: item.path, digest: item.digest)
        }
        let tree = try await pointers.tree(on: parent)
        let commit = try repository.writeCommit(
            tree: tree, parents: [parent], by: repository.user(),
            message: "Add \(model.path) of the run \(model.run.name ?? model.run.id)\n\ngit-ml-run: \(model.run.id)\n")
        if isDryRun { return commit }
        try repository.update(ref, from: tip, to: commit, reason: "git-ml: the model of a run")
        try store.change(model.run) { $0.link(commit, isExact: true) }
        return commit
    }

    private func isCheckedOut(_ ref: String) async throws -> Bool {
        let list = try await repository.git.run(["worktree", "list", "--porcelain", "-z"])
        return list.split(separator: "\0").contains { $0 == "branch \(ref)" }
    }
}

/// Why a run's model could not be committed.
enum RunCommitFailure: Failure {
    case noBranchName(String)
    case checkedOut(String)
    case noModel(run: String, path: String)
    case noContent(run: String, path: String, digest: Digest)

    var kind: FailureKind {
        switch self {
        case .noModel, .noContent: .notFound
        default: .user
        }
    }

    var description: String {
        switch self {
        case .noBranchName(let branch): "“\(branch)” is no name for a branch"
        case .checkedOut(let branch): "the branch \(branch) is checked out, and its work tree is not to be touched"
        case .noModel(let run, let path): "the run \(run.prefix(12)) made no \(path)"
        case .noContent(let run, let path, let digest):
            "the \(path) that the run \(run.prefix(12)) made (\(digest.short)) is not in this clone"
        }
    }

    var hints: [String] {
        switch self {
        case .noBranchName: []
        case .checkedOut: ["name another branch, or commit the model yourself"]
        case .noModel(let run, _): ["`git ml show \(run.prefix(12))` lists what it made"]
        case .noContent: ["run the command in the clone that made it"]
        }
    }
}
