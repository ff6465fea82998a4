internal import Base
public import GitKit
public import SystemPackage

/// A pointer in the index or in a tree.
public struct DataFile: Sendable {
    public let path: RepositoryPath
    public let pointer: Pointer
    public let isExecutable: Bool
    public let blob: ObjectID

    /// For people, and for patterns.
    public var name: String { String(decoding: path, as: UTF8.self) }
}

/// Finds the data files of a repository.
public struct DataFiles: Sendable {
    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// Those in the index; `paths` are as git's commands take them, relative to `folder`; none: all.
    public func inIndex(_ paths: [String] = [], in folder: FilePath? = nil) async throws -> [DataFile] {
        try await inIndex(of: folder.map { Git(in: $0) } ?? repository.git, paths)
    }

    /// `conflicts`: also all sides of paths that are in conflict.
    func inIndex(of git: Git, _ paths: [String] = [], conflicts: Bool = false) async throws -> [DataFile] {
        // mode SP id SP stage TAB path NUL
        let output = try await git.bytes(["ls-files", "-s", "-z", "--full-name", "--"] + paths)
        return try parse(output) { words in words.count == 3 && (conflicts || words[2] == "0") ? words[1] : nil }
    }

    /// Those of a commit.
    public func at(_ commit: ObjectID, _ paths: [String] = [], in folder: FilePath? = nil) async throws -> [DataFile] {
        let git = folder.map { Git(in: $0) } ?? repository.git
        // mode SP kind SP id TAB path NUL
        let whole = paths.isEmpty ? ["--full-tree"] : ["--full-name"]
        let output = try await git.bytes(["ls-tree", "-r", "-z"] + whole + [commit.hex, "--"] + paths)
        return try parse(output) { words in words.count == 3 && words[1] == "blob" ? words[2] : nil }
    }

    private func parse(_ output: [UInt8], id: ([Substring]) -> Substring?) throws -> [DataFile] {
        var known: [ObjectID: Pointer?] = [:]
        return try output.split(separator: 0).compactMap { entry in
            guard let tab = entry.firstIndex(of: 0x09), entry.starts(with: "100".utf8) else { return nil }
            let words = String(decoding: entry[..<tab], as: UTF8.self).split(separator: " ")
            guard let text = id(words), let blob = ObjectID(text) else { return nil }
            let pointer: Pointer?
            if let earlier = known[blob] {
                pointer = earlier
            } else {
                pointer = try self.pointer(blob)
                known[blob] = .some(pointer)
            }
            return pointer.map {
                DataFile(
                    path: Array(entry[(tab + 1)...]), pointer: $0, isExecutable: words[0] == "100755", blob: blob)
            }
        }
    }

    /// The pointer that a blob is; nil for anything else.
    public func pointer(_ blob: ObjectID) throws -> Pointer? {
        guard let header = try repository.header(blob), header.kind == .blob, header.size <= Pointer.maximumLength,
            header.size > 100
        else { return nil }
        return try? Pointer.parse(repository.blob(blob), path: "")
    }
}

extension DataFile {
    /// Whether the work tree still has the pointer where the content should be.
    func isPointer(at file: FilePath) throws -> Bool {
        guard let status = Files.status(file), status.kind == .file, status.size <= Pointer.maximumLength,
            status.size > 100, let bytes = try Files.read(file)
        else { return false }
        return (try? Pointer.parse(bytes, path: "")) == pointer
    }
}
