internal import Base
public import GitKit
internal import Storage
internal import Synchronization
internal import SystemPackage

/// Puts content in the place of pointers in the work tree.
public struct WorkTreeData: Sendable {
    private let repository: Repository
    private let workTree: FilePath
    private let link: DataSettings.Link

    public init(_ repository: Repository, link: DataSettings.Link) throws {
        self.repository = repository
        workTree = try repository.requireWorkTree()
        self.link = link
    }

    /// Those of the files that stand as pointers in the work tree; with `missing`, those too that are not there at all.
    public func waiting(_ files: [DataFile], orMissing missing: Bool = false) throws -> [DataFile] {
        try files.filter { entry in
            let file = workTree.file(entry.path)
            return try entry.pointer.size > 0 && entry.isPointer(at: file) || missing && !Files.exists(file)
        }
    }

    /// Replaces pointers whose content is here; returns the files for which it was done.
    ///
    /// A file that has been changed is left alone. The index learns the new files' stat data, so that git need not read them.
    public func checkOut(_ files: [DataFile]) async throws -> [DataFile] {
        let store = repository.contentStore
        let ready = files.filter { store.contains($0.pointer.digest, size: $0.pointer.size) || $0.pointer.size == 0 }
        let entries = Mutex([IndexFile.Entry]())
        try await Threads.each(ready.count) { [self] i in
            let item = ready[i]
            let file = workTree.file(item.path)
            try place(item, at: file, from: store)
            guard let stat = FileStat(file) else { return }
            let entry = IndexFile.Entry(
                path: item.path, mode: item.isExecutable ? 0o100755 : 0o100644, id: item.blob, stat: stat)
            entries.withLock { $0.append(entry) }
        }
        let new = entries.withLock { $0 }
        if !new.isEmpty, try !IndexFile.refresh(repository, new) {
            let list = ZeroList.text(ready.map(\.path))
            try await repository.git.bytes(["update-index", "-q", "-z", "--stdin"], input: list)
        }
        return ready
    }

    private func place(_ item: DataFile, at file: FilePath, from store: ContentStore) throws {
        if item.pointer.size == 0 { return try Files.replace(file, with: []) }
        // Both names have one mode, and the store's is that of plain files.
        if link.linksFiles, !item.isExecutable, try store.checkOutLink(item.pointer.digest, to: file) { return }
        try store.checkOut(item.pointer.digest, size: item.pointer.size, to: file, executable: item.isExecutable)
    }
}
