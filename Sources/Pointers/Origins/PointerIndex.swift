internal import Base
public import GitKit
internal import SystemPackage

/// Pointers in the index, written and read without looking at the files that they stand for.
public struct PointerIndex: Sendable {
    /// One of them; the path counts from the top of the work tree.
    public struct Entry: Hashable, Sendable {
        public let path: [UInt8]
        public let isExecutable: Bool
        public let pointer: Pointer
        /// The stamp of the file that has the content; nil: git is to look at it.
        public let stat: FileStat?

        public init(path: [UInt8], isExecutable: Bool, pointer: Pointer, stat: FileStat? = nil) {
            self.stat = stat
            self.path = path
            self.isExecutable = isExecutable
            self.pointer = pointer
        }
    }

    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// Whether files go through a filter on their way into git; without one the index would soon hold content instead of pointers.
    public func requireFilter() throws {
        guard try ["process", "clean"].contains(where: { try repository.setting("filter.lfs.\($0)") != nil }) else {
            throw OriginFailure.filterNotSet
        }
    }

    /// Adds pointers and takes paths out, in one step.
    public func write(_ entries: [Entry], removing gone: [[UInt8]] = []) async throws {
        if entries.isEmpty, gone.isEmpty { return }
        let ids = try repository.withoutFlushing {
            // As git-lfs has it, an empty file stands for itself.
            try entries.map { try repository.write(.blob, $0.pointer.size == 0 ? [] : Array($0.pointer.text.utf8)) }
        }
        // The first way needs no look at the files: git's own would send each through the filter once more.
        if entries.allSatisfy({ $0.stat != nil }) {
            let new = zip(entries, ids).compactMap { entry, id in
                entry.stat.map {
                    IndexFile.Entry(path: entry.path, mode: entry.isExecutable ? 0o100755 : 0o100644, id: id, stat: $0)
                }
            }
            if try IndexFile.update(repository, adding: new, removing: Set(gone)) { return }
        }
        let zero = String(repeating: "0", count: repository.format.digits)
        var input: [UInt8] = []
        for path in gone { input += Array("0 \(zero)\t".utf8) + path + [0] }
        for (entry, id) in zip(entries, ids) {
            input += Array("\(entry.isExecutable ? "100755" : "100644") \(id)\t".utf8) + entry.path + [0]
        }
        try await repository.git.run(["update-index", "-z", "--index-info"], input: input)
        // git looks at the files once, so that it knows them by size and time from then on; 1 says that some differ.
        _ = try await repository.git.attempt(["update-index", "-q", "--refresh"])
    }

    /// Stages small files of our own as they are.
    public func add(_ paths: [String]) async throws {
        if paths.isEmpty { return }
        try await repository.git.run(["--literal-pathspecs", "add", "--force", "--"] + paths)
    }

    /// What the index holds at a path or below it: pointers, and paths of what is none.
    public func read(_ path: String) async throws -> (entries: [Entry], others: [[UInt8]]) {
        let list = try await bytes(["--literal-pathspecs", "ls-files", "-s", "-z", "--", path])
        var result: (entries: [Entry], others: [[UInt8]]) = ([], [])
        for entry in ListedEntry.parse(list) {
            if entry.stage == 0, entry.isFile, let pointer = try pointer(entry.id, entry.path) {
                result.entries.append(
                    Entry(path: entry.path, isExecutable: entry.isExecutable, pointer: pointer))
            } else {
                result.others.append(entry.path)
            }
        }
        return result
    }

    private func pointer(_ id: ObjectID, _ path: [UInt8]) throws -> Pointer? {
        guard let header = try repository.header(id), header.size <= Pointer.maximumLength else { return nil }
        if header.size == 0 { return Pointer(digest: Digest.of(""), size: 0) }
        return try? Pointer.parse(repository.blob(id), path: OriginPath.text(path))
    }

    /// The paths of the work tree that differ from the index.
    func changed(_ path: String) async throws -> [[UInt8]] {
        _ = try await repository.git.attempt(["update-index", "-q", "--refresh"])
        return try await bytes(["--literal-pathspecs", "diff-files", "--name-only", "-z", "--", path]).split(
            separator: 0
        )
        .map { Array($0) }
    }

    private func bytes(_ arguments: [String]) async throws -> [UInt8] {
        let result = try await repository.git.attempt(arguments)
        guard result.status == 0 else {
            throw ProcessFailure.failed(
                command: "git " + arguments.joined(separator: " "), status: result.status, errors: result.errors)
        }
        return result.output
    }
}
