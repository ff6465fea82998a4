internal import Base
public import GitKit
public import Storage
internal import Synchronization
internal import SystemPackage

/// Verifies pointers and content.
public struct DataCheck: Sendable {
    /// One thing that is wrong.
    public struct Problem: Sendable {
        public enum Kind: String, Sendable {
            /// The bytes in the store are not what their name says.
            case damaged
            /// A pointer's content is not in this clone.
            case missing
            /// A pointer gives another size than its content has.
            case wrongSize = "wrong-size"
            /// What git stores for a tracked path starts like a pointer and cannot be read as one.
            case malformed
            /// What git stores for a tracked path is the content itself.
            case notPointer = "not-a-pointer"
        }
        public let kind: Kind
        public let path: String?
        public let content: ContentID?
        public let detail: String
    }

    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// The digests of the store whose bytes are damaged, by reading all of them on all cores.
    public func damaged() async throws -> [ContentID] { try await damaged(in: repository.contentStore) }

    /// The same for a store of one's choice.
    public func damaged(in store: ContentStore) async throws -> [ContentID] {
        let all = try store.all()
        let bad = Mutex([ContentID]())
        try await Threads.each(all.count) { i in
            let file = store.path(of: all[i])
            if try store.isWhole(all[i]) == false {
                bad.withLock { $0.append(ContentID(all[i], size: Files.status(file)?.size ?? 0)) }
            }
        }
        return bad.withLock { $0 }.sorted { $0.digest < $1.digest }
    }

    /// What is wrong with the pointers of a commit (nil: of the index).
    public func pointers(at commit: ObjectID?) async throws -> [Problem] {
        let files = DataFiles(repository)
        let found: [DataFile] = if let commit { try await files.at(commit) } else { try await files.inIndex() }
        var problems: [Problem] = []
        let store = repository.contentStore
        for file in found where file.pointer.size > 0 {
            let content = ContentID(file.pointer.digest, size: file.pointer.size)
            guard let size = Files.status(store.path(of: content.digest))?.size else {
                problems.append(Problem(kind: .missing, path: file.name, content: content, detail: "not in this clone"))
                continue
            }
            if size != content.size {
                let detail = "the pointer says \(content.size) bytes, the content has \(size)"
                problems.append(Problem(kind: .wrongSize, path: file.name, content: content, detail: detail))
            }
        }
        return try await problems + wrong(at: commit, except: Set(found.map(\.path)))
    }

    /// Paths whose attributes say that they are pointers, and that are none.
    private func wrong(at commit: ObjectID?, except known: Set<RepositoryPath>) async throws -> [Problem] {
        let list =
            try await repository.git.bytes(
                commit.map { ["ls-tree", "-r", "-z", "--full-tree", $0.hex] } ?? ["ls-files", "-s", "-z"])
        let blobs = ListedEntry.parse(list).filter { $0.isFile && !known.contains($0.path) }
        let filters = try await repository.attribute("filter", of: blobs.map(\.path))
        return try blobs.filter { filters[$0.path] == "lfs" }.compactMap { entry in
            guard let header = try repository.header(entry.id), header.size > 0 else { return nil }
            let name = entry.name
            guard header.size <= Pointer.maximumLength else {
                return Problem(
                    kind: .notPointer, path: name, content: nil, detail: "git keeps \(header.size) bytes itself")
            }
            do {
                _ = try Pointer.parse(repository.blob(entry.id), path: name)
                return nil
            } catch let failure as PointerFailure {
                if case .malformed = failure {
                    return Problem(kind: .malformed, path: name, content: nil, detail: failure.description)
                }
                return Problem(
                    kind: .notPointer, path: name, content: nil, detail: "git keeps \(header.size) bytes itself")
            }
        }
    }
}
