internal import Base
internal import Images
internal import SystemPackage

/// Python packages of a requirements file, installed for the image's platform into a folder, without a container.
///
/// Only wheels: what would have to be compiled first cannot be known to run there. Markers in requirements are judged by the
/// Python that installs, not by the image's.
struct Dependencies {
    /// Goes up when the same requirements must be installed otherwise.
    private static let revision = 2

    let cache: FilePath
    let files: CommitFiles
    let target: DependencyTarget
    let installer: PackageInstaller

    /// What is installed: a name for its content, and its files.
    struct Installed: Sendable {
        let key: Digest
        fileprivate let folder: FilePath

        /// The packages by what they say of themselves.
        func packages() throws -> [(name: String, version: String)] {
            try Files.list(folder).filter { $0.hasSuffix(".dist-info") }.compactMap { name in
                let text = try Files.readText(folder.appending(name).appending("METADATA")) ?? ""
                var fields: [String: String] = [:]
                for line in text.split(whereSeparator: \.isNewline).prefix(while: { $0.contains(":") }) {
                    let key = String(line.prefix { $0 != ":" })
                    if fields[key] == nil { fields[key] = line.dropFirst(key.count + 1).drop { $0 == " " }.description }
                }
                guard let name = fields["Name"], let version = fields["Version"] else { return nil }
                return (name, version)
            }
        }

        /// Everything but what differs from machine to machine.
        func entries() throws -> [LayerEntry] { try Dependencies.collect(folder, "app/deps") }
    }

    /// Installs once for each content of the requirements and each target; afterwards the folder is only read.
    func install(_ requirements: String, say: (String) -> Void) async throws -> Installed {
        let lists = try RequirementFiles(requirements, files)
        let key = Digest.of("\(Self.revision) \(target.key) \(lists.digest)")
        let folder = cache.appending(key.hex)
        if let installed = try Self.installed(folder) { return installed }
        let lock = try FileLock.wait(cache.appending("install.lock"))
        if let installed = try Self.installed(folder) { return installed }
        say("  installing the packages of \(requirements) for \(target.platform), Python \(target.python)")
        let incoming = cache.appending("incoming-\(UUIDv7())")
        do {
            try await installer.install(
                lists.write(to: incoming.appending("requirements")), into: incoming.appending("packages"), for: target)
            try Files.makeDirectory(incoming.appending("packages"))
            let listing = try Self.collect(incoming.appending("packages"), "").map { entry in
                guard case .file(let path, _) = entry.source else { return "" }
                return "\(try Digest.of(file: path).digest) \(entry.isExecutable) \(entry.path)\n"
            }
            try Files.replace(incoming.appending("digest"), with: "\(Digest.of(listing.joined()))\n".utf8)
            try? Files.removeTree(folder)
            try Files.rename(incoming, to: folder)
        } catch {
            try? Files.removeTree(incoming)
            throw error
        }
        _ = consume lock
        guard let installed = try Self.installed(folder) else {
            throw FileFailure("read", folder, .noSuchFileOrDirectory)
        }
        return installed
    }

    private static func installed(_ folder: FilePath) throws -> Installed? {
        guard let text = try Files.readText(folder.appending("digest")), let key = Digest(text.trimmingTrailingSpace)
        else {
            return nil
        }
        return Installed(key: key, folder: folder.appending("packages"))
    }

    /// What an installer leaves that says how it was installed, not what.
    private static let traces = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"]

    /// Everything but what differs from machine to machine: scripts with their interpreter's path, and their records.
    fileprivate static func collect(_ folder: FilePath, _ name: String) throws -> [LayerEntry] {
        var entries: [LayerEntry] = []
        for child in try Files.list(folder) {
            let path = folder.appending(child)
            let inside = name.isEmpty ? child : "\(name)/\(child)"
            guard let status = Files.status(path) else { continue }
            switch status.kind {
            case .directory:
                if child == "__pycache__" || (child == "bin" && ["", "app/deps"].contains(name)) { continue }
                entries += try collect(path, inside)
            case .file:
                if name.hasSuffix(".dist-info") && traces.contains(child) { continue }
                // uv's.
                if child == ".lock", ["", "app/deps"].contains(name) { continue }
                entries.append(
                    LayerEntry(inside, .file(path, size: status.size), isExecutable: status.mode & 0o100 != 0))
            case .link, .other:
                throw ImageFailure.unusableFile(path: inside, reason: "a Python package holds a link")
            }
        }
        return entries
    }
}

/// A requirements file of a commit, and the files that it includes with `-r` and `-c`.
struct RequirementFiles {
    private let top: String
    private var texts: [String: [UInt8]] = [:]

    init(_ path: String, _ files: CommitFiles) throws {
        top = path
        var waiting = [path]
        while let next = waiting.popLast() {
            guard texts[next] == nil else { continue }
            let bytes = try files.read(next)
            texts[next] = bytes
            waiting += Self.included(String(decoding: bytes, as: UTF8.self)).compactMap { Self.path($0, from: next) }
        }
    }

    var digest: Digest {
        .of(texts.sorted { $0.key < $1.key }.map { "\($0.key) \(Digest.of($0.value))\n" }.joined())
    }

    /// Writes them side by side as they lie in the commit; returns the first one.
    func write(to folder: FilePath) throws -> FilePath {
        for (path, bytes) in texts {
            try Files.replace(folder.appending(FilePath(path).components), with: bytes)
        }
        return folder.appending(FilePath(top).components)
    }

    static func included(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let words = line.split { " \t=".contains($0) }
            guard let first = words.first, words.count >= 2,
                ["-r", "--requirement", "-c", "--constraint"].contains(String(first))
            else { return nil }
            return String(words[1])
        }
    }

    /// Seen from the top of the work tree; nil for an address, and for what leaves it.
    static func path(_ text: String, from file: String) -> String? {
        if text.contains("://") || text.hasPrefix("/") { return nil }
        var parts = file.split(separator: "/").dropLast().map(String.init)
        for part in text.split(separator: "/") where part != "." {
            if part != ".." { parts.append(String(part)) } else if parts.popLast() == nil { return nil }
        }
        return parts.joined(separator: "/")
    }
}
