public import ArgumentParser
internal import Base
internal import GitKit
public import Models
internal import Runs

struct Register: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give a model's commit a version, by a tag",
        discussion: """
            Makes the tag NAME@vX.Y.Z; a plain `git tag -a` of that form does the same. A version that was deregistered is
            registered anew by a tag with a number behind it: NAME@vX.Y.Z#N.

            A run stands for the commit that holds the model that it made. Where no commit does, --branch makes one: the run's
            code with the model's pointer, on a branch that is not checked out. Work tree and index are not touched.

              $ git ml register churn
              $ git ml register churn HEAD~1 --bump major --push
              $ git ml register churn gbm-3 --branch candidates

            Exit statuses: 1 when the commit or the version is taken, 3 when there is no such model, commit or run, 4 when the
            push failed.
            """)

    @Argument(help: "The model, as ml.yaml names it.")
    var model: String

    @Argument(help: "The commit, or the run that made the model.")
    var source = "HEAD"

    @Option(help: "The version; default: the next one.")
    var version: String?

    @Option(help: "Which part of the latest version goes up: major, minor or patch.")
    var bump: SemanticVersion.Part = .minor

    @Option(help: "Where a commit is made for a run whose model is in none.")
    var branch: String?

    @Flag(help: "Give a commit a second version, which GTO cannot read.")
    var force = false

    @OptionGroup var options: TagOptions

    func run() async throws {
        let models = try ModelProject.current()
        let repository = models.repository
        let name = try models.entry(model).name
        if let other = models.entries.first(where: { $0.name != name && $0.name.isAlike(name) }) {
            throw RegisterFailure.alike(name, other.name)
        }
        let given = try version.map { text in
            guard let version = SemanticVersion(text) else {
                throw ValidationError("“\(text)” is no semantic version such as 1.2.0")
            }
            return version
        }
        let path = models.path(of: name)
        let commit = try await commit(name, path, models)
        if let path, try repository.entry(path, in: commit) == nil {
            throw ModelFailure.noFile(path: path, commit: commit.short)
        }
        try await TagMaking(repository: repository, options: options).make {
            let registry = try ModelProject(repository).registry
            let entry = registry.models[name] ?? ModelEntry(name: name)
            let number = given ?? entry.versions.map(\.version).max()?.bumped(bump) ?? SemanticVersion(1, 0, 0)
            try check(number, commit, entry)
            let isTaken = try repository.ref("refs/tags/\(ModelTag(name, .register(number)))") != nil
            let counter = isTaken ? registry.nextCounter(of: name) : nil
            return TagDraft(
                tag: ModelTag(name, .register(number), counter: counter), commit: commit,
                message: (options.message ?? "Register \(name) \(number)") + "\n", after: entry.lastChange)
        }
    }

    /// Refuses what GTO refuses.
    private func check(_ number: SemanticVersion, _ commit: ObjectID, _ entry: ModelEntry) throws {
        if let same = entry.versions.last(where: { $0.version == number && !$0.isDeregistered }) {
            throw RegisterFailure.registered(entry.name, number, same.commit)
        }
        if let other = entry.versions.last(where: { $0.commit == commit && $0.version != number }), !force {
            throw RegisterFailure.hasOther(entry.name, other.version, commit)
        }
    }

    private func commit(_ name: ModelName, _ path: String?, _ models: ModelProject) async throws -> ObjectID {
        let repository = models.repository
        do {
            return try Candidate.find(
                source, of: name, path: path, registry: models.registry, repository: repository,
                runs: { try RunStore.current() }
            ).commit
        } catch let failure as CandidateFailure {
            guard case .notCommitted(let id, _) = failure, let branch, let path else { throw failure }
            let store = try RunStore.current()
            guard let run = try store.run(id: id) else { throw failure }
            let commit = try await RunCommit(RunModel(run, path: path), store)
                .make(on: branch, isDryRun: options.dryRun)
            if !options.json.isOn {
                print("\(options.dryRun ? "would commit" : "committed") the run's \(path) on \(branch)")
            }
            return commit
        }
    }
}

extension SemanticVersion.Part: ExpressibleByArgument {}

extension ModelName {
    /// Whether two names differ only in case: folders, images and hosts of some systems hold them for one.
    fileprivate func isAlike(_ other: ModelName) -> Bool { description.lowercased() == other.description.lowercased() }
}

/// Why a version cannot be registered.
enum RegisterFailure: Failure {
    case alike(ModelName, ModelName)
    case registered(ModelName, SemanticVersion, ObjectID)
    case hasOther(ModelName, SemanticVersion, ObjectID)

    var kind: FailureKind { .user }

    var description: String {
        switch self {
        case .alike(let name, let other): "“\(name)” and the model “\(other)” differ only in case"
        case .registered(let name, let version, let commit):
            "\(name) \(version) is registered already, on \(commit.short)"
        case .hasOther(let name, let version, let commit): "\(commit.short) is already \(name) \(version)"
        }
    }

    var hints: [String] {
        switch self {
        case .alike: ["choose another name, or use the one that is there"]
        case .registered(let name, let version, _):
            ["choose another --version, or take that one back: git ml deregister \(name) \(version)"]
        case .hasOther: ["GTO cannot read two versions of a model on one commit; --force registers it all the same"]
        }
    }
}
