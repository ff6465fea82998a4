internal import Base
internal import GitKit
internal import Storage
internal import SystemPackage

/// Changes the work tree and the index once all content is in the store.
struct DVCTakeOver {
    typealias Entry = (item: DVCSources.Item, content: ContentID, from: DVCSources.Place, stat: FileStat?)

    private let repository: Repository
    private let project: DVCProject
    private let index: PointerIndex

    init(_ repository: Repository, _ project: DVCProject) {
        self.repository = repository
        self.project = project
        index = PointerIndex(repository)
    }

    func run(
        _ entries: [Entry], _ outputs: [DVCOutput], _ options: DVCImport.Options, _ outcome: inout DVCImport.Outcome
    ) async throws {
        let indexed = try entries.compactMap { entry -> PointerIndex.Entry? in
            let (isExecutable, stat) = try place(entry, &outcome)
            if options.makesDatasets, outputs[entry.item.output].isFolder { return nil }
            return PointerIndex.Entry(
                path: Array(entry.item.path.utf8), isExecutable: isExecutable,
                pointer: Pointer(digest: entry.content.digest, size: entry.content.size), stat: stat)
        }
        var staged = try await attribute(
            entries.filter { !options.makesDatasets || !outputs[$0.item.output].isFolder }, outputs)
        try await index.write(indexed)
        for output in outputs { staged += try DVCIgnoreLines.remove(output.path, in: project) }
        if options.removes {
            for output in outputs where output.isDVCFile && !outcome.removed.contains(output.file) {
                Files.remove(project.path(output.file))
                outcome.removed.append(output.file)
            }
            try await index.write([], removing: outcome.removed.map { Array($0.utf8) })
        }
        var gone: [[UInt8]] = []
        for name in Set(staged) where !Files.exists(project.path(name)) { gone.append(Array(name.utf8)) }
        try await index.write([], removing: gone)
        try await index.add(Set(staged).filter { Files.exists(project.path($0)) }.sorted())
    }

    /// Puts a file into the work tree where it lacks, and a copy where it is a link into DVC's cache; answers whether it is
    /// executable, and its stamp when it is what the pointer says.
    ///
    /// A file that is something else than DVC has last seen is the user's work and stays.
    private func place(_ entry: Entry, _ outcome: inout DVCImport.Outcome) throws -> (
        isExecutable: Bool, stat: FileStat?
    ) {
        let file = project.path(entry.item.path)
        let status = Files.status(file)
        if let status, entry.from != .workTree {
            outcome.changed.append(entry.item.path)
            return (status.kind == .file ? status.mode & 0o100 != 0 : entry.item.isExecutable, nil)
        }
        let isExecutable = entry.item.isExecutable || (status?.kind == .file && (status?.mode ?? 0) & 0o100 != 0)
        // DVC's links into its cache are symbolic, or read-only and hard.
        if let status, status.kind == .file, status.mode & 0o200 != 0, (status.mode & 0o100 != 0) == isExecutable {
            return (isExecutable, entry.stat)
        }
        if entry.content.size == 0 {
            if status?.kind == .link { Files.remove(file) }
            try Files.replace(file, with: [], mode: isExecutable ? 0o755 : 0o644)
        } else if entry.from == .workTree {
            try copy(file, isExecutable: isExecutable)
        } else {
            try repository.contentStore.checkOut(
                entry.content.digest, size: entry.content.size, to: file, executable: isExecutable)
        }
        return (isExecutable, FileStat(file))
    }

    /// Makes a file that is a link one of its own.
    private func copy(_ file: FilePath, isExecutable: Bool) throws {
        let temporary = Files.temporaryName(beside: file)
        do {
            try Files.clone(file, to: temporary)
            _ = temporary.withPlatformString { chmod($0, isExecutable ? 0o755 : 0o644) }
            try Files.rename(temporary, to: file)
        } catch {
            Files.remove(temporary)
            throw error
        }
    }

    /// Sends what is not tracked yet through the filter: one pattern an output.
    private func attribute(_ entries: [Entry], _ outputs: [DVCOutput]) async throws -> [String] {
        var input: [UInt8] = []
        for entry in entries { input += Array(entry.item.path.utf8) + [0] }
        let answer = try await repository.git.attempt(["check-attr", "-z", "--stdin", "filter"], input: input)
        // path NUL attribute NUL value NUL
        let fields = answer.output.split(separator: 0, omittingEmptySubsequences: false)
        var untracked: Set<Int> = []
        for (i, entry) in entries.enumerated() {
            let value = i * 3 + 2 < fields.count ? String(decoding: fields[i * 3 + 2], as: UTF8.self) : ""
            if value != "lfs" { untracked.insert(entry.item.output) }
        }
        if untracked.isEmpty { return [] }
        _ = try Attributes(workTree: project.workTree).add(
            untracked.sorted().map { OriginPath.pattern(outputs[$0].path, isFolder: outputs[$0].isFolder) })
        return [".gitattributes"]
    }
}

/// The lines by which DVC hides what it tracks from git.
enum DVCIgnoreLines {
    /// Removes the line of an output and returns the file that has changed; one that is empty then goes.
    static func remove(_ path: String, in project: DVCProject) throws -> [String] {
        let folder = DVCReader.folder(of: path)
        let name = String(path.dropFirst(folder.isEmpty ? 0 : folder.utf8.count + 1))
        let file = folder.isEmpty ? ".gitignore" : folder + "/.gitignore"
        guard Files.status(project.path(file))?.kind == .file, let text = try Files.readText(project.path(file)) else {
            return []
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let own = Set(["/" + name, "/" + escaped(name)])
        let kept = lines.filter { !own.contains($0.hasSuffix("\r") ? String($0.dropLast()) : String($0)) }
        if kept.count == lines.count { return [] }
        if kept.allSatisfy(\.isEmpty) {
            Files.remove(project.path(file))
        } else {
            try Files.replace(project.path(file), with: kept.joined(separator: "\n").utf8)
        }
        return [file]
    }

    /// As pathspec's `GitWildMatchPattern.escape`, by which DVC writes names.
    private static func escaped(_ name: String) -> String {
        var text = ""
        for scalar in name.unicodeScalars {
            if "[]!*#?".unicodeScalars.contains(scalar) { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append(scalar)
        }
        return text
    }
}
