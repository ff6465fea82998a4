internal import Base

/// A file or folder that DVC tracks.
struct DVCOutput: Sendable {
    /// The file that says so, and the path, both from the top of the git work tree.
    let file: String
    let path: String
    /// Of the content, or of the list of a folder's files.
    let hash: DVCHash
    let isFolder: Bool
    let isExecutable: Bool
    /// The remote that it is kept at, when that is not the default one.
    let remote: String?
    /// A folder's files where the file lists them itself (remotes with versions).
    let files: [DVCFile]?

    var isDVCFile: Bool { file.hasSuffix(".dvc") }
}

/// A file in a folder that DVC tracks.
struct DVCFile: Sendable {
    /// Below the folder.
    let path: String
    let hash: DVCHash
    let isExecutable: Bool
}

/// Reads the files in which DVC says what it tracks.
struct DVCReader {
    var outputs: [DVCOutput] = []
    /// What is left out, and why.
    var skipped: [(path: String, reason: String)] = []

    /// A `.dvc` file; `file` is its path from the top of the work tree.
    mutating func read(dvcFile text: String, file: String) throws {
        let node = try YAMLNode.parse(text, file: file)
        let folder = Self.folder(of: file)
        let wdir = try Self.text(node, "wdir") ?? "."
        for out in try Self.get(node, "outs")?.list() ?? [] { try add(out, file, Self.join(folder, wdir)) }
    }

    /// A `dvc.lock`, with the `dvc.yaml` beside it, which knows folders and what git stores itself.
    mutating func read(lock text: String, pipeline: String?, file: String) throws {
        let node = try YAMLNode.parse(text, file: file)
        let folder = Self.folder(of: file)
        let stages = try (Self.get(node, "stages") ?? (Self.get(node, "schema") == nil ? node : nil))?.entries() ?? []
        let declared = try pipeline.map { try DVCPipeline($0, file: Self.join(folder, "dvc.yaml") ?? "dvc.yaml") }
        for stage in stages {
            let name = String(stage.key.prefix { $0 != "@" })
            let wdir = declared?.folders[name] ?? "."
            guard !wdir.contains("${") else {
                skipped.append((file, "the folder of the stage \(name) is a template"))
                continue
            }
            let place = Self.join(folder, wdir)
            for out in try Self.get(stage.value, "outs")?.list() ?? [] {
                if let path = try Self.text(out, "path"), declared?.uncached[name]?.contains(path) == true { continue }
                try add(out, file, place)
            }
        }
    }

    private mutating func add(_ out: YAMLNode, _ file: String, _ folder: String?) throws {
        guard let name = try Self.text(out, "path") else { throw out.failure("an output needs a path") }
        if try Self.get(out, "cache")?.bool() == false { return }  // git stores it itself
        guard let path = name.hasPrefix("/") || name.contains("://") ? nil : folder.flatMap({ Self.join($0, name) }),
            !path.isEmpty, OriginPath.problem(Array(path.utf8)) == nil
        else { return skipped.append((name, "it lies outside of the repository")) }
        guard let text = try Self.text(out, "md5") else {
            let listed = try Self.files(out, isLegacy: false)
            guard let listed, !listed.isEmpty else { return skipped.append((path, "\(file) has no MD5 of it")) }
            return outputs.append(
                DVCOutput(
                    file: file, path: path, hash: listed[0].hash, isFolder: true, isExecutable: false,
                    remote: try Self.text(out, "remote"), files: listed))
        }
        let isLegacy = try Self.text(out, "hash") != "md5"
        let isFolder = text.hasSuffix(".dir")
        guard let hash = DVCHash(isFolder ? String(text.dropLast(4)) : text, isLegacy: isLegacy) else {
            throw out.failure("“\(text)” is no MD5")
        }
        outputs.append(
            DVCOutput(
                file: file, path: path, hash: hash, isFolder: isFolder,
                isExecutable: try Self.get(out, "isexec")?.bool() ?? false, remote: try Self.text(out, "remote"),
                files: isFolder ? try Self.files(out, isLegacy: isLegacy) : nil))
    }

    private static func files(_ out: YAMLNode, isLegacy: Bool) throws -> [DVCFile]? {
        try get(out, "files")?.list().compactMap { item in
            guard let path = try text(item, "relpath"), let md5 = try text(item, "md5"),
                let hash = DVCHash(md5, isLegacy: isLegacy)
            else { throw item.failure("a file needs relpath and md5") }
            if let problem = OriginPath.problem(Array(path.utf8)) { throw item.failure("“\(path)” \(problem)") }
            return DVCFile(path: path, hash: hash, isExecutable: try get(item, "isexec")?.bool() ?? false)
        }
    }

    /// The list of a folder's files, as DVC keeps it under `….dir`.
    static func list(_ bytes: [UInt8], _ output: DVCOutput) throws -> [DVCFile] {
        func bad(_ reason: String) -> DVCFailure { .malformed(file: "DVC's list of \(output.path)", reason: reason) }
        let items: [JSON]
        do { items = try JSON.parse(bytes).array ?? [] } catch { throw bad("is no JSON (\(error))") }
        var seen: Set<String> = []
        return try items.map { item in
            guard let path = item["relpath"]?.string, let text = item["md5"]?.string,
                let hash = DVCHash(text, isLegacy: output.hash.isLegacy)
            else { throw bad("needs md5 and relpath for each file") }
            if let problem = OriginPath.problem(Array(path.utf8)) { throw bad("names “\(path)”, which \(problem)") }
            guard seen.insert(path).inserted else { throw bad("names “\(path)” twice") }
            return DVCFile(path: path, hash: hash, isExecutable: item["isexec"]?.bool ?? false)
        }
    }

    // MARK: Plumbing

    static func folder(of file: String) -> String { file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "" }

    /// A path below a folder, without `.` and `..`; nil when it leaves the work tree.
    static func join(_ folder: String, _ path: String) -> String? {
        if path.hasPrefix("/") { return nil }
        var parts: [Substring] = folder.split(separator: "/")
        for part in path.split(separator: "/") where part != "." {
            if part == ".." {
                guard parts.popLast() != nil else { return nil }
            } else {
                parts.append(part)
            }
        }
        return parts.joined(separator: "/")
    }

    static func get(_ node: YAMLNode, _ key: String) throws -> YAMLNode? {
        try node.entries().first { $0.key == key }?.value
    }

    static func text(_ node: YAMLNode, _ key: String) throws -> String? { try get(node, key)?.text() }
}

/// What `dvc.yaml` says that `dvc.lock` does not.
struct DVCPipeline {
    /// The folder that a stage's paths count from.
    var folders: [String: String] = [:]
    /// Outputs that git stores itself (`cache: false`).
    var uncached: [String: Set<String>] = [:]

    init(_ text: String, file: String) throws {
        for stage in try DVCReader.get(YAMLNode.parse(text, file: file), "stages")?.entries() ?? [] {
            // With foreach the stage stands below "do".
            let body = try DVCReader.get(stage.value, "do") ?? stage.value
            folders[stage.key] = try DVCReader.text(body, "wdir")
            for key in ["outs", "metrics", "plots"] {
                for out in try DVCReader.get(body, key)?.list() ?? [] {
                    guard case .map(let entries) = out.value, let entry = entries.first, case .map = entry.value.value,
                        try DVCReader.get(entry.value, "cache")?.bool() == false
                    else { continue }
                    uncached[stage.key, default: []].insert(entry.key)
                }
            }
        }
    }
}
