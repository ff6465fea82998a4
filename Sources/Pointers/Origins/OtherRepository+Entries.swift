internal import Base
public import GitKit
internal import SystemPackage

/// A file, link or submodule of another repository.
public struct OriginEntry: Sendable {
    /// Below what was asked for, empty when that is the file itself.
    ///
    /// Bytes, because git does not say what they mean.
    public let path: [UInt8]
    public let mode: TreeEntry.Mode
    let id: ObjectID
    /// What its text names, when it is a pointer.
    public internal(set) var pointer: Pointer?
    /// The same for the pointer of a dataset.
    public internal(set) var dataset: DatasetPointer?

    public var isExecutable: Bool { mode == .executable }
}

/// What stands at a path of another repository.
public struct OriginSelection: Sendable {
    /// The path in that repository, without links; empty for all of it.
    public let path: String
    public let isFolder: Bool
    public internal(set) var entries: [OriginEntry]
    /// Submodules, whose files are another repository's again.
    public internal(set) var submodules: [String] = []

    /// The dataset that was asked for.
    public var dataset: DatasetPointer? { isFolder ? nil : entries.first?.dataset }

    /// Pointers of datasets in a folder, whose files do not come along.
    public var nestedDatasets: [String] { isFolder ? entries.filter { $0.dataset != nil }.map(name) : [] }

    /// The folder's name for a dataset named by that or by its pointer file.
    public static func name(ofDataset path: String) -> String { DataImport.name(path) }

    /// A name for one of the entries, for messages.
    func name(_ entry: OriginEntry) -> String {
        [path, OriginPath.text(entry.path)].filter { !$0.isEmpty }.joined(separator: "/")
    }
}

extension OtherRepository {
    /// What stands at a path, with all blobs that tell pointers from plain files.
    ///
    /// A path that is a link leads to its target as long as that is inside of the repository. Names that must not be written are refused here, before anything is.
    public func select(_ path: String) async throws -> OriginSelection {
        let (path, entry) = try follow(path)
        guard let entry else { return try await read(folder: "", repository.commit(commit).tree) }
        switch entry.mode {
        case .directory: return try await read(folder: path, entry.id)
        case .submodule:
            throw OriginFailure.refused(path: path, reason: "is a submodule: name the repository that it is")
        default:
            var found = OriginEntry(path: [], mode: entry.mode, id: entry.id)
            found.pointer = try pointer(entry.id, path)
            found.dataset = try dataset(entry.id, path)
            return OriginSelection(path: path, isFolder: false, entries: [found])
        }
    }

    private func missing(_ path: String) -> OriginFailure {
        .noPath(path, address: address.shown, commit: commit.hex)
    }

    /// The entry at a path; nil for the top.
    private func follow(_ asked: String) throws -> (path: String, entry: TreeEntry?) {
        var parts = asked.split(separator: "/").map(String.init).filter { $0 != "." }[...]
        var done: [String] = []
        var hops = 0
        var entry: TreeEntry?
        while let part = parts.popFirst() {
            if part == ".." {
                guard done.popLast() != nil else {
                    throw OriginFailure.refused(path: asked, reason: "leaves the repository")
                }
                entry = nil
                continue
            }
            let path = (done + [part]).joined(separator: "/")
            // A dataset goes by its folder's name.
            guard
                let found = try repository.entry(path, in: commit)
                    ?? (parts.isEmpty ? repository.entry(path + DatasetPointer.suffix, in: commit) : nil)
            else { throw missing(asked) }
            if found.mode == .link {
                hops += 1
                let target = try repository.blob(found.id)
                guard hops <= 10, target.first != 0x2f, let text = String(validating: target, as: UTF8.self) else {
                    throw OriginFailure.refused(path: asked, reason: "leads out of the repository by the link \(path)")
                }
                parts = (text.split(separator: "/").map(String.init).filter { $0 != "." } + parts)[...]
                entry = nil
                continue
            }
            guard parts.isEmpty || found.mode == .directory else { throw missing(asked) }
            done.append(found.name)
            entry = found
        }
        let path = done.joined(separator: "/")
        if entry == nil, !done.isEmpty { entry = try repository.entry(path, in: commit) }
        return (path, entry)
    }

    private func read(folder: String, _ tree: ObjectID) async throws -> OriginSelection {
        var selection = OriginSelection(path: folder, isFolder: true, entries: [])
        var seen: Set<[UInt8]> = []
        let list = try await git.attempt(["ls-tree", "-r", "-z", "--full-tree", tree.hex])
        guard list.status == 0 else {
            throw OriginFailure.unreachable(address.shown, words: list.errors.trimmingTrailingSpace)
        }
        for listed in ListedEntry.parse(list.output) {
            let raw = UInt32(listed.mode, radix: 8) ?? 0o100644
            let mode = TreeEntry.Mode(rawValue: raw) ?? (raw & 0o111 != 0 ? .executable : .file)
            let entry = OriginEntry(path: listed.path, mode: mode, id: listed.id)
            if let problem = OriginPath.problem(entry.path) {
                throw OriginFailure.refused(path: selection.name(entry), reason: problem)
            }
            guard seen.insert(entry.path).inserted else {
                throw OriginFailure.refused(path: selection.name(entry), reason: "is there twice")
            }
            if mode == .submodule {
                selection.submodules.append(selection.name(entry))
            } else {
                selection.entries.append(entry)
            }
        }
        try Self.checkNesting(selection, seen)
        let absent = try await absentAfterFetch(selection.entries, tree)
        try markPointers(&selection, absent: absent)
        return selection
    }

    /// A tree that holds both a file and a folder of one name would be written through a link.
    private static func checkNesting(_ selection: OriginSelection, _ paths: Set<[UInt8]>) throws {
        for entry in selection.entries {
            for (i, unit) in entry.path.enumerated() where unit == 0x2f {
                guard !paths.contains(Array(entry.path[..<i])) else {
                    throw OriginFailure.refused(path: selection.name(entry), reason: "lies below a file")
                }
            }
        }
    }

    /// The blobs below a tree that have not been fetched.
    func absent(below tree: ObjectID) async throws -> Set<String> {
        let list = try await git.run(["rev-list", "--objects", "--no-object-names", "--missing=print", tree.hex])
        return Set(list.split(separator: "\n").filter { $0.hasPrefix("?") }.map { String($0.dropFirst()) })
    }

    /// The blobs that may be pointers and are still absent: they are too large for one.
    private func absentAfterFetch(_ entries: [OriginEntry], _ tree: ObjectID) async throws -> Set<String> {
        let absent = try await absent(below: tree)
        if bringsSmallBlobs { return absent }
        var wanted: [String] = []
        for entry in entries where absent.contains(entry.id.hex) { wanted.append(entry.id.hex) }
        try await fetch(wanted)
        return []
    }

    // Not asynchronous: the optimiser of Swift 6.3.1 crashes on a loop like this in a function that is.
    private func markPointers(_ selection: inout OriginSelection, absent: Set<String>) throws {
        for i in selection.entries.indices {
            let entry = selection.entries[i]
            guard [.file, .executable].contains(entry.mode), !absent.contains(entry.id.hex) else { continue }
            let name = selection.name(entry)
            selection.entries[i].pointer = try pointer(entry.id, name)
            selection.entries[i].dataset = try dataset(entry.id, name)
        }
    }

    /// Brings many blobs at once; git would bring them one by one when they are read.
    private func fetch(_ ids: [String]) async throws {
        if ids.isEmpty { return }
        let words = [
            "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
            "--no-recurse-submodules", "--filter=blob:none", "--stdin", "origin",
        ]
        let result = try await git.attempt(words, input: Array(Set(ids).sorted().joined(separator: "\n").utf8) + [0x0a])
        guard result.status == 0 else {
            throw OriginFailure.unreachable(address.shown, words: result.errors.trimmingTrailingSpace)
        }
    }

    private func dataset(_ id: ObjectID, _ path: String) throws -> DatasetPointer? {
        path.hasSuffix(DatasetPointer.suffix) ? try DatasetScan(repository).read(id, path: path) : nil
    }

    private func pointer(_ id: ObjectID, _ path: String) throws -> Pointer? {
        guard let header = try repository.header(id), header.size <= Pointer.maximumLength else { return nil }
        do { return try Pointer.parse(repository.blob(id), path: path) } catch PointerFailure.notAPointer { return nil }
    }
}
