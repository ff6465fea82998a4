internal import Base
public import GitKit
internal import Storage
internal import SystemPackage

/// What stands out about data files: changed, new, or pointers whose content is not in the work tree.
public struct DataStatus: Sendable {
    public enum State: String, Sendable, CaseIterable {
        /// In the index and not in HEAD, or changed between the two.
        case added
        case staged
        /// The work tree differs from the index.
        case changed
        case removed
        /// Matches a pattern and is not in the index.
        case untracked
        /// Should be a pointer in git by its patterns and is not.
        case notPointer = "not-a-pointer"
        /// The work tree has the pointer; the content is in this clone.
        case pointer
        /// The work tree has the pointer, and the content is not in this clone.
        case missing
        case conflict
    }

    public struct Item: Sendable {
        public let path: RepositoryPath
        public let state: State
        public let pointer: Pointer?
    }

    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// Everything that stands out, sorted by path.
    ///
    /// Costs what `git status` costs and a look at the index: content is not read, and the store is asked only for files that
    /// are pointers in the work tree.
    public func items() async throws -> [Item] {
        let workTree = try repository.requireWorkTree()
        async let changes = repository.git.bytes(["status", "--porcelain=v2", "-z", "--no-renames"])
        var items = try await pointersInWorkTree(workTree)
        items += try await changed(changes)
        return items.sorted { $0.path.lexicographicallyPrecedes($1.path) }
    }

    private func pointersInWorkTree(_ workTree: FilePath) async throws -> [Item] {
        guard let index = try IndexFile(repository) else {
            let waiting = try await DataFiles(repository).inIndex().filter {
                try $0.isPointer(at: workTree.file($0.path))
            }
            return waiting.map { item($0.path, $0.pointer) }
        }
        return try index.entries.compactMap { entry in
            // What git checked out as a pointer has the pointer's size there.
            guard entry.isFile, (101...UInt32(Pointer.maximumLength)).contains(entry.sizeInWorkTree), !entry.isSkipped,
                let bytes = try Files.read(workTree.file(entry.path)), bytes.count <= Pointer.maximumLength,
                let pointer = try? Pointer.parse(bytes, path: ""), pointer.size > 0
            else { return nil }
            return item(entry.path, pointer)
        }
    }

    private func item(_ path: RepositoryPath, _ pointer: Pointer) -> Item {
        let isHere = repository.contentStore.contains(pointer.digest, size: pointer.size)
        return Item(path: path, state: isHere ? .pointer : .missing, pointer: pointer)
    }

    // MARK: Changes

    private func changed(_ output: [UInt8]) async throws -> [Item] {
        let files = DataFiles(repository)
        var items: [Item] = []
        var open: [(path: RepositoryPath, state: State)] = []
        for entry in output.split(separator: 0) {
            // 1 XY sub mH mI mW hH hI path | u XY sub m1 m2 m3 mW h1 h2 h3 path | ? path
            let fields = entry.split(separator: 0x20, maxSplits: entry.first == 0x75 ? 10 : entry.first == 0x31 ? 8 : 1)
            guard let path = fields.last.map({ Array($0) }), fields.count > 1 else { continue }
            func pointer(_ i: Int) throws -> Pointer? {
                // All zeros: there is none.
                if fields[i].allSatisfy({ $0 == 0x30 }) { return nil }
                return try ObjectID(String(decoding: fields[i], as: UTF8.self)).flatMap { try files.pointer($0) }
            }
            switch entry.first {
            case 0x31 where fields.count == 9:
                let (staged, work) = (fields[1].first, fields[1].last)
                let (old, new) = try (pointer(6), pointer(7))
                guard old ?? new != nil else {
                    open.append((path, .notPointer))
                    continue
                }
                if staged != 0x2e {
                    let state: State = staged == 0x41 ? .added : staged == 0x44 ? .removed : .staged
                    items.append(Item(path: path, state: state, pointer: new ?? old))
                }
                if work != 0x2e {
                    items.append(Item(path: path, state: work == 0x44 ? .removed : .changed, pointer: new ?? old))
                }
                if new == nil, staged != 0x44 { open.append((path, .notPointer)) }
            case 0x75 where fields.count == 11:
                if let pointer = try pointer(8) ?? pointer(9) {
                    items.append(Item(path: path, state: .conflict, pointer: pointer))
                }
            case 0x3f: open.append((path, .untracked))
            default: break
            }
        }
        let filters = try await repository.attribute("filter", of: open.map(\.path))
        return items
            + open.filter { filters[$0.path] == "lfs" }.map { Item(path: $0.path, state: $0.state, pointer: nil) }
    }
}
