internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Runs
internal import SystemPackage

/// The files of runs, logged models and registered versions, as MLflow's artifact proxy names them.
struct Artifacts: Sendable {
    /// Whose files they are, and the path inside.
    enum Place: Equatable {
        case run(String, path: String)
        case loggedModel(String, path: String)
        case version(String, Int64, path: String)

        /// Reads `<experiment>/<run>/artifacts/<path>`, `<experiment>/models/<model>/artifacts/<path>`, or our own
        /// `versions/<name>/<number>/<path>`.
        init(_ text: String) throws {
            let text = try Names.artifactPath(text.hasSuffix("/") ? String(text.dropLast()) : text)
            let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            func rest(_ count: Int) -> String { parts.dropFirst(count).joined(separator: "/") }
            if parts.count >= 3, parts[0] == "versions", let number = Int64(parts[2]) {
                self = .version(parts[1], number, path: rest(3))
            } else if parts.count >= 4, parts[1] == "models", parts[3] == "artifacts" {
                self = .loggedModel(parts[2], path: rest(4))
            } else if parts.count >= 3, parts[2] == "artifacts" {
                self = .run(parts[1], path: rest(3))
            } else {
                throw MLflowFailure.missing("No such artifact: '\(text)'")
            }
        }

        var path: String {
            switch self {
            case .run(_, let path), .loggedModel(_, let path), .version(_, _, let path): path
            }
        }
    }

    /// One file.
    enum File {
        case content(Digest, size: Int64)
        case blob(ObjectID, size: Int64)

        var size: Int64 {
            switch self {
            case .content(_, let size), .blob(_, let size): size
            }
        }
    }

    /// Where the files of logged models stand among the outputs of their run.
    static let modelFolder = "mlflow-models/"

    let api: MLflowAPI
    private var ledger: Ledger { api.ledger }

    // MARK: Reading

    /// All files of a place, by their path in it.
    func files(_ place: Place) throws -> [String: File] {
        switch place {
        case .run(let id, _):
            let run = try ledger.run(id)
            return Dictionary(
                run.outputs.filter { !$0.path.hasPrefix(Self.modelFolder) }.map {
                    ($0.path, .content($0.digest, size: $0.size))
                }
            ) { $1 }
        case .loggedModel(let id, _):
            let model = try api.loggedModel(id)
            var files = model.files.mapValues { File.content($0.digest, size: $0.size) }
            let prefix = Self.modelFolder + id + "/"
            for item in try model.run.map({ try ledger.run($0).outputs }) ?? [] where item.path.hasPrefix(prefix) {
                files[String(item.path.dropFirst(prefix.count))] = .content(item.digest, size: item.size)
            }
            return files
        case .version(let name, let number, _): return try versionFiles(name, number)
        }
    }

    /// The files of a version that no client of MLflow has made: those of its commit.
    private func versionFiles(_ name: String, _ number: Int64) throws -> [String: File] {
        let version = try api.version(name, number)
        guard let path = try api.path(of: version.model, at: version.commit),
            let entry = try api.repository.entry(path, in: version.commit)
        else { return [:] }
        guard entry.mode == .directory else {
            let name = path.split(separator: "/").last.map(String.init) ?? path
            return [name: try file(entry)]
        }
        var files: [String: File] = [:]
        try api.repository.walk(entry.id) { path, entry in
            if [.file, .executable].contains(entry.mode) { files[path] = try file(entry) }
        }
        return files
    }

    private func file(_ entry: TreeEntry) throws -> File {
        let size = try api.repository.header(entry.id)?.size ?? 0
        if size <= 1024, let pointer = try? Pointer.parse(api.repository.blob(entry.id), path: entry.name) {
            return .content(pointer.digest, size: pointer.size)
        }
        return .blob(entry.id, size: Int64(size))
    }

    /// The bytes of one file.
    func read(_ place: Place) throws -> Answer {
        let name = place.path.split(separator: "/").last.map(String.init) ?? "file"
        let files = try files(place)
        switch files[place.path] {
        case .content(let digest, let size)?: return .content(digest, size: size, name: name)
        case .blob(let id, _)?: return .bytes(try api.repository.blob(id), name: name)
        case nil:
            let isFolder = place.path.isEmpty || files.keys.contains { $0.hasPrefix(place.path + "/") }
            throw isFolder
                ? MLflowFailure.invalid("Artifact path refers to a directory, not a file: '\(place.path)'")
                : MLflowFailure.missing("No such artifact: '\(place.path)'")
        }
    }

    /// What stands in a folder; nothing for a file, and for what is not there.
    ///
    /// With `relative` the names are without the folder.
    func list(_ place: Place, relative: Bool) throws -> [JSON] {
        let folder = place.path.isEmpty ? "" : place.path + "/"
        var sizes: [String: Int64?] = [:]
        for (path, file) in try files(place) where path.hasPrefix(folder) {
            let rest = path.dropFirst(folder.count)
            let first = rest.prefix { $0 != "/" }
            if first.isEmpty { continue }
            let isFile = first.count == rest.count
            sizes[String(first)] = isFile ? .some(file.size) : .some(nil)
        }
        return sizes.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { name, size in
            .present([
                ("path", .string(relative ? name : folder + name)), ("is_dir", .bool(size == nil)),
                ("file_size", size.map { .int($0) }),
            ])
        }
    }

    // MARK: Writing

    /// Takes in a file that was sent, under its place.
    func put(_ file: FilePath, at place: Place) throws {
        guard !place.path.isEmpty else { throw MLflowFailure.invalid("Invalid path") }
        let content: (digest: Digest, size: Int64)
        switch place {
        case .run(let id, let path):
            try requireWritable(try ledger.outline(id))
            guard !path.hasPrefix(Self.modelFolder) else { throw MLflowFailure.invalid("Invalid path") }
            content = try ledger.keep(file)
            try add(RunItem(path: path, digest: content.digest, size: content.size, role: .artifact), to: id)
        case .loggedModel(let id, let path):
            let model = try api.loggedModel(id)
            content = try ledger.keep(file)
            if let run = model.run, (try? ledger.outline(run)) != nil {
                let path = Self.modelFolder + id + "/" + path
                try add(RunItem(path: path, digest: content.digest, size: content.size, role: .model), to: run)
            } else {
                let entry: JSON = [
                    "path": .string(path), "oid": .string(content.digest.description), "size": .int(content.size),
                ]
                try api.registry.add("logged-model", [("id", .string(id)), ("files", [entry])])
            }
        case .version: throw MLflowFailure.invalid("the files of a registered version do not change")
        }
    }

    private func requireWritable(_ run: Run) throws { try api.requireActive(run) }

    private func add(_ item: RunItem, to run: String) throws {
        try ledger.write(run) { events, run in
            if !run.outputs.contains(item) { events.outputs([item]) }
        }
    }

    /// Takes a file, or a folder with all that is in it, off a run.
    func remove(_ place: Place) throws {
        guard case .run(let id, let path) = place else {
            throw MLflowFailure.invalid("only the files of a run can be deleted")
        }
        try ledger.write(id) { events, run in
            events.removed(
                run.outputs.map(\.path).filter {
                    !$0.hasPrefix(Self.modelFolder) && (path.isEmpty || $0 == path || $0.hasPrefix(path + "/"))
                })
        }
    }
}
