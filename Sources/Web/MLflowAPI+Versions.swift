internal import Base
internal import GitKit
internal import Models
internal import Runs

/// Versions of registered models: tags `NAME@vN.0.0` on commits that hold the model.
extension MLflowAPI {
    static let versionEndpoints: [String: Endpoint] = [
        "POST model-versions/create": { try await $0.createVersion($1) },
        "GET model-versions/get": { api, call in .json(["model_version": try api.version(call).json]) },
        "GET model-versions/search": { try $0.searchVersions($1) },
        "GET model-versions/get-download-uri": { try $0.downloadURI($1) },
        "PATCH model-versions/update": { try $0.updateVersion($1) },
        "POST model-versions/transition-stage": { try await $0.transition($1) },
        "DELETE model-versions/delete": { try await $0.deleteVersion($1) },
        "POST model-versions/set-tag": { try $0.tagVersion($1) },
        "DELETE model-versions/delete-tag": { try $0.untagVersion($1) },
    ]

    private func version(_ call: Call) throws -> RegisteredVersion { try version(call.required("name"), number(call)) }

    private func record(_ version: RegisteredVersion, _ members: [(String, JSON?)]) throws {
        try registry.add(
            "version", [("model", .string(version.model.description)), ("version", .int(version.number))] + members)
    }

    // MARK: Tags

    /// Makes the tag that says something of a model's commit; taken names are replaced by the next number.
    func tag(_ model: ModelName, _ action: ModelTag.Action, on commit: ObjectID) async throws {
        for _ in 0..<20 {
            let registry = try tags()
            let entry = registry.models[model]
            var tag = ModelTag(model, action)
            let isCounted: Bool =
                switch action {
                case .assign, .unassign: true
                default: try repository.ref("refs/tags/\(tag)") != nil
                }
            if isCounted { tag = ModelTag(model, action, counter: registry.nextCounter(of: model)) }
            if try await make(tag, on: commit, after: entry?.lastChange, Self.message(tag, commit, entry)) { return }
        }
        throw MLflowFailure(.internal, "the tag of \(model) was taken by others, again and again")
    }

    /// False when the tag was there already.
    func make(_ tag: ModelTag, on commit: ObjectID, after: Timestamp?, _ message: String) async throws -> Bool {
        let git = repository.git.with(TagDate.environment(after: after))
        let words = ["tag", "-a", "--cleanup=verbatim", "-F", "-", "--end-of-options", "\(tag)", commit.hex]
        let result = try await git.attempt(words, input: Array(message.utf8))
        if result.status == 0 { return true }
        if result.errors.contains("already exists") { return false }
        throw MLflowFailure(.badRequest, "the tag \(tag) was not made: \(result.errors.trimmingSpace)")
    }

    /// The statement of a stage tag, as `git ml stage` makes it; for other tags a title.
    private static func message(_ tag: ModelTag, _ commit: ObjectID, _ entry: ModelEntry?) -> String {
        let title: String
        var stage: String?
        switch tag.action {
        case .register(let version): title = "Register \(tag.model) \(version)"
        case .deregister(let version): title = "Deregister \(tag.model) \(version)"
        case .assign(let name): (title, stage) = ("Stage \(tag.model) in \(name)", name)
        case .unassign(let name): (title, stage) = ("Take \(tag.model) out of \(name)", name)
        case .deprecate: title = "Deprecate \(tag.model)"
        }
        guard let stage else { return title + "\n" }
        let statement: [(String, String?)] = [
            ("git-ml-stage", "1"), ("model", "\(tag.model)"),
            ("version", entry?.version(at: commit).map { "\($0.version)" }), ("stage", stage),
            ("counter", tag.counter.map { "\($0)" }), ("commit", commit.hex),
            ("previous", entry?.newest[stage]?.id.hex),
        ]
        return title + "\n\n" + statement.compactMap { key, value in value.map { "\(key): \($0)\n" } }.joined()
    }

    // MARK: Making

    private func createVersion(_ call: Call) async throws -> Answer {
        let model = try registeredModel(call.required("name"))
        let given = try call.required("source")
        let source = try source(given, call)
        let run = try source.run.map { try ledger.run($0) }
        guard let parent = try run?.commit ?? repository.head() else {
            throw MLflowFailure(.badRequest, "the repository has no commit yet")
        }
        let content = try await content(model.name, source.items, on: parent)
        let origin = run.map { " of the run \($0.name ?? $0.id)\n\ngit-ml-run: \($0.id)" } ?? ""
        let set = try Self.exactTags(call.list("tags"), value: 100_000)
        for _ in 0..<20 {
            let entry = try tags().models[model.name]
            let number = (entry?.versions.map { Int64($0.version.major) }.max() ?? 0) + 1
            let tag = ModelTag(model.name, .register(SemanticVersion(Int(number), 0, 0)))
            // A commit of its own, even where the same files are registered twice within a second: stages belong to commits.
            let commit = try repository.writeCommit(
                tree: content.tree, parents: [parent], by: repository.user(),
                message: "Add \(content.path) as version \(number)\(origin)\n")
            let message = Self.message(tag, commit, entry)
            if try await make(tag, on: commit, after: entry?.lastChange, message) {
                if let run {
                    try ledger.write(run.id) { events, _ in
                        events.outputs(content.items)
                        events.link(commit, isExact: true)
                    }
                }
                // The tag decides whose number it is.
                try registry.add(
                    "version",
                    [
                        ("model", .string(model.name.description)), ("version", .int(number)),
                        ("source", .string(given)),
                        ("run", source.run.map { .string($0) }), ("logged_model", source.model.map { .string($0) }),
                        ("link", try call.text("run_link").map { .string($0) }),
                        ("description", try call.text("description").map { .string($0) }),
                        ("set", .sorted(set)),
                    ])
                return .json(["model_version": try version(model.name.description, number).json])
            }
        }
        throw MLflowFailure(.internal, "the next version of \(model.name) was taken by others, again and again")
    }

    private struct Source {
        var items: [(path: String, file: Artifacts.File)] = []
        var run: String?
        var model: String?
    }

    /// The files that a version is made of.
    private func source(_ text: String, _ call: Call) throws -> Source {
        let run = try call.text("run_id").flatMap { $0.isEmpty ? nil : $0 }
        var source = Source(run: run, model: try call.text("model_id").flatMap { $0.isEmpty ? nil : $0 })
        let place: Artifacts.Place
        if let rest = text.dropping(prefix: "models:/"), rest.hasPrefix("m-") {
            guard let logged = try registry.fold().logged[rest], !logged.isDeleted else {
                throw Self.foreignSource(text, "model_id")
            }
            source.model = rest
            source.run = run ?? logged.run
            place = .loggedModel(rest, path: "")
        } else if let rest = text.dropping(prefix: "models:/") {
            let parts = rest.split(separator: "/").map(String.init)
            guard parts.count == 2, let number = Int64(parts[1]) else { throw Self.invalidSource(text) }
            place = .version(parts[0], number, path: "")
        } else if let rest = text.dropping(prefix: "runs:/") {
            let id = String(rest.prefix { $0 != "/" })
            source.run = id
            place = .run(id, path: try Names.artifactPath(String(rest.dropFirst(id.count + 1))))
        } else if let rest = text.dropping(prefix: "mlflow-artifacts:/") {
            do {
                place = try Artifacts.Place(String(rest.drop { $0 == "/" }))
            } catch {
                throw MLflowFailure.invalid(
                    "Invalid model version source: '\(text)'. If supplying a source as an http, https, local file path, ftp,"
                        + " objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path"
                        + " references present. Please provide an absolute path.")
            }
            if case .loggedModel(let id, _) = place { source.model = id }
            if case .run(let id, _) = place {
                guard run == nil || run == id else { throw Self.foreignSource(text, "run_id") }
                source.run = id
            }
        } else if text.contains("://"), !text.hasPrefix("file:") {
            throw MLflowFailure.invalid(
                "Invalid model version source: '\(text)'. A version is a commit of this repository that holds the model:"
                    + " log the model into a run and register it from there.")
        } else {
            throw Self.invalidSource(text)
        }
        let files = try Artifacts(api: self).files(place)
        let folder = place.path.isEmpty ? "" : place.path + "/"
        source.items = files.filter { place.path.isEmpty || $0.key == place.path || $0.key.hasPrefix(folder) }.map {
            (path: $0.key == place.path ? "" : String($0.key.dropFirst(folder.count)), file: $0.value)
        }
        return source
    }

    private static func foreignSource(_ text: String, _ name: String) -> MLflowFailure {
        .invalid(
            "Invalid model version source: '\(text)'. The \(name) request parameter must identify the resource that"
                + " contains the source.")
    }

    private static func invalidSource(_ text: String) -> MLflowFailure {
        .invalid(
            "Invalid model version source: '\(text)'. To use a local path as a model version source, the run_id request"
                + " parameter has to be specified and the local path has to be contained within the artifact directory of"
                + " the run specified by the run_id.")
    }

    /// The model on top of the run's code: the tree for a commit that no branch points at, only the tag that is made.
    private func content(
        _ model: ModelName, _ files: [(path: String, file: Artifacts.File)], on parent: ObjectID
    ) async throws -> (tree: ObjectID, path: String, items: [RunItem]) {
        let path = try path(of: model, at: parent) ?? "models/\(model)"
        var items: [RunItem] = []
        for (inner, file) in files.sorted(by: { $0.path < $1.path }) {
            let digest: Digest =
                switch file {
                case .content(let digest, _): digest
                case .blob(let id, _): try ledger.keep(repository.blob(id))
                }
            let full = inner.isEmpty ? path : path + "/" + inner
            items.append(RunItem(path: full, digest: digest, size: file.size, role: .model))
        }
        let pointers = PointerCommit(repository, items, replacing: path)
        if let item = try pointers.keepContent() {
            guard try await ledger.file(of: item.digest, size: item.size) != nil, try pointers.keepContent() == nil
            else {
                throw MLflowFailure.missing("the content of \(item.path) is not here")
            }
        }
        let tree = items.isEmpty ? try repository.commit(parent).tree : try await pointers.tree(on: parent)
        return (tree, path, items)
    }

    // MARK: Looking

    private func searchVersions(_ call: Call) throws -> Answer {
        if let limit = try call.int("max_results"), limit < 1 {
            throw MLflowFailure.invalid(
                "Invalid value for max_results. It must be a positive integer, but got \(limit)")
        }
        let limit = try call.limit(10_000, most: 200_000)
        let offset = try PageToken.offset(call.text("page_token"))
        let filter = try MLflowFilter(call.text("filter"))
        try SearchRules.versions.check(filter)
        let (registry, fold) = (try tags(), try registry.fold())
        let all = registry.models.keys.compactMap { RegisteredModel($0, registry, fold) }.flatMap(\.versions)
        let chosen = try all.filter { version in
            for comparison in filter.comparisons {
                let value = try Self.value(of: version, comparison.kind, comparison.key)
                if value == nil, comparison.comparator == "!=", comparison.key == "mlflow.prompt.is_prompt" { continue }
                if !comparison.holds(value) { return false }
            }
            return true
        }
        var order = try call.texts("order_by").map { try OrderKey($0) }
        order += [
            try OrderKey("last_updated_timestamp DESC"), try OrderKey("name"), try OrderKey("version_number DESC"),
        ]
        let sorted = try OrderKey.sorted(chosen, order, id: \.version.tag) { try Self.value(of: $0, $1.kind, $1.key) }
        return .json(Page(Array(sorted.dropFirst(offset)), limit: limit, offset: offset).json("model_versions", \.json))
    }

    private static func value(of version: RegisteredVersion, _ kind: MLflowFilter.Kind, _ key: String) throws
        -> MLflowFilter.Value?
    {
        switch (kind, key) {
        case (.tag, _): version.described?.tags[key].map { .text($0) }
        case (.attribute, "name"): .text(version.model.description)
        case (.attribute, "version_number"): .number(Double(version.number))
        case (.attribute, "run_id"): .text(version.described?.run ?? "")
        case (.attribute, "source_path"), (.attribute, "source"): .text(version.source)
        case (.attribute, "creation_timestamp"): .number(Double(version.created.milliseconds))
        case (.attribute, "last_updated_timestamp"): .number(Double(version.updated.milliseconds))
        default: throw SearchRules.versions.unknown(key)
        }
    }

    private func downloadURI(_ call: Call) throws -> Answer {
        let version = try version(call)
        var uri = version.source
        if let id = uri.dropping(prefix: "models:/"), id.hasPrefix("m-") {
            uri = Self.artifactURI(try loggedModel(id))
        } else if let rest = uri.dropping(prefix: "runs:/") {
            let id = String(rest.prefix { $0 != "/" })
            let run = try ledger.run(id)
            uri = Self.artifactURI(id, try experiments(for: run).id(of: run)) + rest.dropFirst(id.count)
        } else if uri.hasPrefix("models:/") {
            uri = "mlflow-artifacts:/" + version.folder
        }
        return .json(["artifact_uri": .string(uri)])
    }

    // MARK: Changing

    private func updateVersion(_ call: Call) throws -> Answer {
        let version = try version(call)
        try record(version, [("description", .string(try call.text("description") ?? ""))])
        return .json(["model_version": try self.version(call).json])
    }

    private func transition(_ call: Call) async throws -> Answer {
        let version = try version(call)
        let stage = try Self.stage(call.required("stage"))
        let archives = call.bool("archive_existing_versions")
        if archives, stage != "Staging", stage != "Production" {
            throw MLflowFailure.invalid(
                "Model version transition cannot archive existing model versions because '\(stage)' is not an Active stage."
                    + " Valid stages are ['Staging', 'Production']"
            )
        }
        if archives {
            for other in try registeredModel(version.model.description).versions
            where other.stage == stage && other.number != version.number {
                try await tag(other.model, .assign(stage: "Archived"), on: other.commit)
            }
        }
        if stage == "None", version.stage != "None" {
            try await tag(version.model, .unassign(stage: version.stage), on: version.commit)
        } else if stage != version.stage {
            try await tag(version.model, .assign(stage: stage), on: version.commit)
        }
        return .json(["model_version": try self.version(call).json])
    }

    private func deleteVersion(_ call: Call) async throws -> Answer {
        try await takeBack(version(call))
        return .nothing
    }

    private func tagVersion(_ call: Call) throws -> Answer {
        let version = try version(call)
        let key = try call.required("key")
        try Names.check(key, path: "key", what: "key", limit: 250)
        let value = try call.text("value") ?? ""
        try Names.checkLength(value, "value", 100_000)
        try record(version, [("set", .sorted([key: value]))])
        return .nothing
    }

    private func untagVersion(_ call: Call) throws -> Answer {
        let version = try version(call)
        let key = try call.required("key")
        if version.described?.tags[key] != nil { try record(version, [("unset", [.string(key)])]) }
        return .nothing
    }
}

extension String {
    /// What stands behind a prefix; nil where the text does not begin with it.
    func dropping(prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }
}
