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
        let output = try await git.bytes(["ls-files", "-s", "-z", "--full-name", "--"] + paths)
        return try find(ListedEntry.parse(output).filter { conflicts || $0.stage == 0 })
    }

    /// Those of a commit.
    public func at(_ commit: ObjectID, _ paths: [String] = [], in folder: FilePath? = nil) async throws -> [DataFile] {
        let git = folder.map { Git(in: $0) } ?? repository.git
        let whole = paths.isEmpty ? ["--full-tree"] : ["--full-name"]
        let output = try await git.bytes(["ls-tree", "-r", "-z"] + whole + [commit.hex, "--"] + paths)
        return try find(ListedEntry.parse(output))
    }

    private func find(_ entries: [ListedEntry]) throws -> [DataFile] {
        var known: [ObjectID: Pointer?] = [:]
        return try entries.filter(\.isFile).compactMap { entry in
            let pointer: Pointer?
            if let earlier = known[entry.id] {
                pointer = earlier
            } else {
                pointer = try self.pointer(entry.id)
                known[entry.id] = .some(pointer)
            }
            return pointer.map {
                DataFile(path: entry.path, pointer: $0, isExecutable: entry.isExecutable, blob: entry.id)
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
