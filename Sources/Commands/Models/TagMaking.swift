internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models

/// Options of the commands that make tags.
struct TagOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The tag's message.")
    var message: String?

    @Flag(help: "Sign the tag, as `git tag -s` does.")
    var sign = false

    @Flag(help: "Push the tag to the remote at once.")
    var push = false

    @Option(help: "The remote to push to.")
    var remote = "origin"

    @Flag(name: .shortAndLong, help: "Only show the tag that would be made.")
    var dryRun = false
}

/// Makes an annotated tag with the `git` program, so that signing works as the user has set it up.
struct TagMaking {
    let repository: Repository
    let options: TagOptions

    func make(_ tag: ModelTag, on commit: ObjectID, message: String) async throws {
        let name = tag.description
        if options.dryRun {
            print("would tag \(commit.short) as \(name)")
            return
        }
        try await repository.git.run(
            ["tag", options.sign ? "-s" : "-a", "--cleanup=verbatim", "-F", "-", "--end-of-options", name, commit.hex],
            input: Array(message.utf8))
        print("tagged \(commit.short) as \(name)")
        if options.push {
            try await repository.git.run(["push", options.remote, "refs/tags/\(name)"])
            print("pushed to \(options.remote)")
        } else {
            print("hand it over with: git push \(options.remote) \(shellQuoted("refs/tags/\(name)"))")
        }
    }
}

/// A model that `ml.yaml` does not know, or that is not where it says.
enum ModelFailure: Failure {
    case unknown(String, known: [String])
    case noFile(path: String, commit: String)
    case unknownStage(String, known: [String])
    case notAName(String)
    case noVersion(model: String)

    var kind: FailureKind {
        switch self {
        case .unknown, .unknownStage, .noVersion, .noFile: .notFound
        case .notAName: .user
        }
    }

    var description: String {
        switch self {
        case .unknown(let name, _): "ml.yaml names no model “\(name)”"
        case .noFile(let path, let commit): "the model file \(path) is not in the commit \(commit)"
        case .unknownStage(let name, _): "ml.yaml names no stage “\(name)”"
        case .notAName(let name): "“\(name)” is no name for a model"
        case .noVersion(let model): "\(model) has no such version"
        }
    }

    var hints: [String] {
        switch self {
        case .unknown(let name, let known):
            [Spelling.nearest(to: name, in: known).map { "did you mean \($0)?" } ?? "add it under models: in ml.yaml"]
        case .noFile(let path, _): ["commit it first: git add \(shellQuoted(path)) && git commit"]
        case .unknownStage(let name, let known):
            [Spelling.nearest(to: name, in: known).map { "did you mean \($0)?" } ?? "add it under stages: in ml.yaml"]
        case .notAName: ["names hold letters, digits, -, / and _"]
        case .noVersion: ["`git ml models` lists what is registered"]
        }
    }
}

extension Project {
    /// The model of that name, or an error that names the nearest.
    func model(_ text: String) throws -> (name: ModelName, settings: ModelSettings) {
        guard let name = ModelName(text) else { throw ModelFailure.notAName(text) }
        guard let settings = models[name] else {
            throw ModelFailure.unknown(text, known: models.keys.map(\.description))
        }
        return (name, settings)
    }
}
