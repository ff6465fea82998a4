internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs

/// Options of the commands that make tags.
struct TagOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The tag's message.")
    var message: String?

    @Flag(help: "Sign the tag, as `git tag -s` does.")
    var sign = false

    @Flag(help: "Push the tag at once; if somebody was faster, take the next number and try again.")
    var push = false

    @Option(help: "The remote to push to.")
    var remote = "origin"

    @Flag(name: .shortAndLong, help: "Only show the tag that would be made.")
    var dryRun = false

    @OptionGroup var json: JSONOption
}

/// A tag that is to be made.
struct TagDraft {
    let tag: ModelTag
    let commit: ObjectID
    let message: String
    /// The latest of what it must be younger than: GTO orders by the dates of tags, which know whole seconds only.
    var after: Timestamp?
}

/// Makes an annotated tag with the `git` program, so that signing works as the user has set it up.
struct TagMaking {
    let repository: Repository
    let options: TagOptions

    /// How often a name that somebody else has just taken is replaced by the next.
    private static let patience = 10

    /// Makes the tag that `draft` describes, and pushes it if that is wanted.
    ///
    /// `draft` is asked again, with what the tags say then, when the name was taken meanwhile: here by another process, or at
    /// the remote by another person. A tag that cannot be pushed is taken away again.
    func make(_ draft: () throws -> TagDraft) async throws {
        for _ in 0..<Self.patience {
            let draft = try draft()
            if options.dryRun { return show(draft, id: nil, isPushed: false) }
            guard let id = try await create(draft) else { continue }
            guard options.push else { return show(draft, id: id, isPushed: false) }
            if try await push(draft, id) { return show(draft, id: id, isPushed: true) }
        }
        throw TagFailure.taken(times: Self.patience)
    }

    /// Makes the tag here; nil when its name was taken meanwhile.
    private func create(_ draft: TagDraft) async throws -> ObjectID? {
        let name = "\(draft.tag)"
        let words = [
            "tag", options.sign ? "-s" : "-a", "--cleanup=verbatim", "-F", "-", "--end-of-options", name,
            draft.commit.hex,
        ]
        let git = repository.git.with(TagDate.environment(after: draft.after))
        let result = try await git.attempt(words, input: Array(message(of: draft).utf8))
        if result.status == 0, let id = try repository.ref("refs/tags/\(name)") {
            // git 2.39 makes the tag all the same when a key of SSH cannot sign, and says that all is well.
            guard options.sign, try repository.signedTag(id).signature == nil else { return id }
            try await repository.git.run(["update-ref", "-d", "refs/tags/\(name)", id.hex])
            throw TagFailure.notMade(name: name, words: result.errors.trimmingTrailingSpace)
        }
        if result.errors.contains("already exists") { return nil }
        throw TagFailure.notMade(name: name, words: result.errors.trimmingTrailingSpace)
    }

    /// The message; one that is signed vouches for the run behind the model too (``RunStatement``).
    private func message(of draft: TagDraft) throws -> String {
        switch draft.tag.action {
        case .register, .assign: break
        default: return draft.message
        }
        guard options.sign,
            let line = try RunStatement.line(
                of: draft.tag.model, path: Project.here(repository).models[draft.tag.model]?.path, at: draft.commit,
                in: RunStore(repository))
        else { return draft.message }
        return draft.message + (draft.message.hasSuffix("\n") ? "" : "\n\n") + line
    }

    /// Pushes a tag that must not be there yet; false when it is, and then it is gone here and the remote's tags have come.
    private func push(_ draft: TagDraft, _ id: ObjectID) async throws -> Bool {
        let ref = "refs/tags/\(draft.tag)"
        let result = try await repository.git.attempt(["push", "--end-of-options", options.remote, "\(ref):\(ref)"])
        if result.status == 0 { return true }
        let there = try await repository.git.attempt(["ls-remote", "--end-of-options", options.remote, ref])
        // The answer to the push may have been lost on its way.
        if there.status == 0, there.text.hasPrefix(id.hex) { return true }
        try await repository.git.run(["update-ref", "-d", ref, id.hex])
        guard there.status == 0, !there.text.isEmpty else {
            throw TagFailure.notPushed(
                name: "\(draft.tag)", remote: options.remote, words: result.errors.trimmingTrailingSpace,
                isRemote: there.status != 0 || result.errors.contains("[remote rejected]"))
        }
        try await fetchTags(of: draft.tag.model)
        return false
    }

    private func fetchTags(of model: ModelName) async throws {
        let refs = ["@", "#"].map { "refs/tags/\(model.inTag)\($0)*" }
        // Tags that differ here and there are left as they are, which git calls a failure.
        _ = try await repository.git.attempt(
            ["fetch", "--quiet", "--no-tags", "--end-of-options", options.remote] + refs.map { "\($0):\($0)" })
    }

    private func show(_ draft: TagDraft, id: ObjectID?, isPushed: Bool) {
        let ref = "refs/tags/\(draft.tag)"
        let command = ["git", "push", options.remote, ref].map(shellQuoted).joined(separator: " ")
        guard !options.json.isOn else {
            print(
                [
                    "tag": .string("\(draft.tag)"), "id": .optional(id?.hex), "commit": .string(draft.commit.hex),
                    "model": .string("\(draft.tag.model)"),
                    "counter": draft.tag.counter.map { .int(Int64($0)) } ?? .null, "made": .bool(id != nil),
                    "pushed": .bool(isPushed), "remote": .string(options.remote), "push": .string(command),
                ] as JSON)
            return
        }
        guard id != nil else { return print("would tag \(draft.commit.short) as \(draft.tag)") }
        print("tagged \(draft.commit.short) as \(draft.tag)")
        print(isPushed ? "pushed to \(options.remote)" : "hand it over with: \(command)")
    }
}

/// Why a tag was not made, or not handed over.
enum TagFailure: Failure {
    case notMade(name: String, words: String)
    case notPushed(name: String, remote: String, words: String, isRemote: Bool)
    case taken(times: Int)

    var kind: FailureKind {
        if case .notPushed(_, _, _, true) = self { return .remote }
        return .user
    }

    var description: String {
        switch self {
        case .notMade(let name, let words): "git does not make the tag \(name): \(words)"
        case .notPushed(let name, let remote, let words, _):
            "the tag \(name) could not be pushed to \(remote) and was taken away again: \(words)"
        case .taken(let times): "others took the tag's name \(times) times in a row"
        }
    }

    var hints: [String] {
        switch self {
        case .notMade: []
        case .notPushed: ["run the command again without --push to keep the tag here"]
        case .taken: ["run the command again"]
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
