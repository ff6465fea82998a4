public import Base
public import GitKit
internal import SystemPackage

/// Why a folder or file cannot become a dataset.
public struct NoDataset: Failure {
    public let description: String
    public let hints: [String]
    public var kind: FailureKind { .user }
}

extension Dataset {
    /// The dataset that a path given in the current folder means: a folder, a large file, or the pointer file of one.
    public static func named(_ path: String, in repository: Repository) throws -> Dataset {
        let workTree = try repository.requireWorkTree()
        let text = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard let folder = Files.currentDirectory() else {
            throw NoDataset(description: "the current folder has been removed", hints: [])
        }
        let full = (text.hasPrefix("/") ? FilePath(text) : folder.appending(FilePath(text).components))
            .lexicallyNormalized()
        guard let name = real(full).string.below(real(workTree).string) else {
            throw NoDataset(
                description: "\(path) is no folder or file below \(workTree)",
                hints: ["a dataset is a part of the work tree: name a folder in it"])
        }
        if name.split(separator: "/").contains(where: { $0.lowercased() == ".git" }) {
            throw NoDataset(description: "\(path) belongs to git itself", hints: [])
        }
        return try Dataset(repository, path: name)
    }

    /// The path with its parent's links resolved; what it names itself stays as it is.
    private static func real(_ path: FilePath) -> FilePath {
        let parent = path.removingLastComponent()
        guard let name = path.lastComponent, let text = parent.withPlatformString({ realpath($0, nil) }) else {
            return path
        }
        defer { free(text) }
        return FilePath(String(cString: text)).appending(name)
    }

    /// Refuses a folder of which git itself keeps files, or that is a repository of its own.
    public func checkUntracked(_ repository: Repository) async throws {
        if Files.exists(place.appending(".git")) {
            throw NoDataset(description: "\(path) is a repository of its own", hints: ["add the folders in it instead"])
        }
        let tracked = try await repository.git("ls-files", "-z", "--", ":(top,literal)" + path)
        if let first = tracked.split(separator: "\0").first {
            throw NoDataset(
                description: "git keeps files of \(path) itself, for one \(first)",
                hints: ["`git rm -r --cached \(shellQuoted(path))` hands them over; the files stay"])
        }
    }

    /// Makes git ignore the folder, merge pointers by our driver and know the pointer.
    public func register(_ repository: Repository) async throws {
        let parent = place.removingLastComponent()
        let ignore = parent.appending(".gitignore")
        try Self.ensure("/" + Self.escaped(place.lastComponent?.string ?? path), in: ignore)
        let attributes = workTree.appending(".gitattributes")
        try Self.ensure("*\(DatasetPointer.suffix) merge=ml-dataset -text", in: attributes)
        try await repository.git.run(
            ["add", "--"] + [ignore, attributes, pointerFile].map { $0.string })
    }

    private static func escaped(_ name: String) -> String {
        var text = ""
        for character in name { text += "\\*?[!#".contains(character) ? "\\\(character)" : String(character) }
        return name.hasSuffix(" ") ? text.dropLast() + "\\ " : text
    }

    private static func ensure(_ line: String, in file: FilePath) throws {
        var text = try Files.readText(file) ?? ""
        if text.split(separator: "\n").contains(where: { $0 == line }) { return }
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        try Files.replace(file, with: (text + line + "\n").utf8)
    }
}

extension String {
    /// The rest of a path that lies below a folder; nil for one that does not.
    fileprivate func below(_ folder: String) -> String? {
        let start = folder.hasSuffix("/") ? folder : folder + "/"
        return hasPrefix(start) && count > start.count ? String(dropFirst(start.count)) : nil
    }
}
