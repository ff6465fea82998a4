internal import Base
internal import GitKit
internal import Models
internal import Runs

/// What a person names as the version of a model to look at, to stage or to compare: a version, an address, a commit or a run.
struct Candidate {
    let model: ModelName
    let commit: ObjectID
    /// The run that was named, when it was one.
    var run: Run?

    /// Finds what `word` means for a model; nil means its latest version.
    ///
    /// A version (`v1.2.0`) comes first, then `#STAGE` and addresses (``ModelAddress``), then what git knows, then runs.
    /// A run stands for the commit that holds the model that it made. `runs` opens the store when it is needed.
    static func find(
        _ word: String?, of model: ModelName, path: String?, registry: Registry, repository: Repository,
        runs: () throws -> RunStore
    ) throws -> Candidate {
        guard let word else {
            return Candidate(model: model, commit: try ModelAddress("\(model)").resolve(in: registry).commit)
        }
        if let address = address(word, of: model) {
            return Candidate(model: model, commit: try address.resolve(in: registry).commit)
        }
        if let commit = try? repository.resolve(word) { return Candidate(model: model, commit: commit) }
        let run: Run
        do {
            run = try RunSelection(store: runs()).run(word)
        } catch is UnknownRun {
            throw CandidateFailure.unknown(word)
        }
        guard let path else { throw CandidateFailure.noPath(model) }
        guard let commit = try RunModel(run, path: path).commit(in: repository) else {
            throw CandidateFailure.notCommitted(run: run.id, path: path)
        }
        return Candidate(model: model, commit: commit, run: run)
    }

    private static func address(_ word: String, of model: ModelName) -> ModelAddress? {
        let text =
            if SemanticVersion(word) != nil {
                "\(model)@\(word)"
            } else if word.hasPrefix("#") || word == "@latest" {
                "\(model)\(word)"
            } else {
                word
            }
        guard let address = try? ModelAddress(text), !address.isBare, address.model == model else { return nil }
        return address
    }
}

/// Why a word names nothing that could be staged.
enum CandidateFailure: Failure {
    case unknown(String)
    case notCommitted(run: String, path: String)
    case noPath(ModelName)

    var kind: FailureKind {
        switch self {
        case .unknown: .notFound
        case .notCommitted, .noPath: .user
        }
    }

    var description: String {
        switch self {
        case .unknown(let word): "“\(word)” is no version, stage, commit or run"
        case .noPath(let model): "nothing says where \(model) lies, so a run cannot stand for it"
        case .notCommitted(let run, let path): "no commit holds the \(path) that the run \(run.prefix(12)) made"
        }
    }

    var hints: [String] {
        switch self {
        case .unknown: ["`git ml model NAME` lists versions and stages, `git ml runs` runs"]
        case .noPath: ["add it under models: in ml.yaml"]
        case .notCommitted(let run, let path):
            [
                "commit it: git add \(shellQuoted(path)) && git commit",
                "or let `git ml register NAME \(run.prefix(12)) --branch BRANCH` commit its pointer on a branch",
            ]
        }
    }
}
