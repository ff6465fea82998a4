import Base
import GitKit
import Storage
import SystemPackage
import TestSupport

@testable import Pointers

/// A repository with a dataset `data`, its files written and read as bytes.
struct DatasetPlace {
    let sandbox: Sandbox
    let repository: Repository
    let dataset: Dataset
    var top: FilePath { dataset.place }

    init(_ sandbox: Sandbox, folder: String = "work", path: String = "data") async throws {
        self.sandbox = sandbox
        if !Files.exists(sandbox.path.appending(folder)) { try await sandbox.repository(folder) }
        repository = try Repository(sandbox.path.appending(folder))
        dataset = try Dataset(repository, path: path)
    }

    init() async throws { try await self.init(Sandbox()) }

    func write(_ path: String, _ bytes: [UInt8]) throws {
        try Files.replace(top.appending(FilePath(path).components), with: bytes)
    }

    func write(_ path: String, _ text: String) throws { try write(path, Array(text.utf8)) }

    func remove(_ path: String) { Files.remove(top.appending(FilePath(path).components)) }

    @discardableResult
    func add() async throws -> DatasetAdded { try await dataset.add(fetch: Self.nothing) }

    @discardableResult
    func checkOut(force: Bool = false, fetch: ContentFetch = nothing) async throws -> DatasetCheckedOut {
        try await dataset.checkOut(force: force, fetch: fetch)
    }

    static let nothing: ContentFetch = { _ in }

    /// Every entry with its kind and bytes, by `find`, `readlink` and reading: nothing of the code under test.
    func tree() async throws -> String {
        try await sandbox.sh(
            """
            cd '\(top)' && LC_ALL=C find . -mindepth 1 -print0 | LC_ALL=C sort -z | while IFS= read -r -d '' f; do
            if [ -L "$f" ]; then printf '%q link %s\\n' "$f" "$(readlink "$f")"
            elif [ -d "$f" ]; then printf '%q folder\\n' "$f"
            elif [ -x "$f" ]; then printf '%q program %s\\n' "$f" "$(sha256sum < "$f")"
            else printf '%q file %s\\n' "$f" "$(sha256sum < "$f")"; fi; done
            """.bash)
    }

    /// The other repository gets our store's objects and pointer: as after a push and a pull.
    func hand(to other: DatasetPlace) async throws {
        let from = dataset.store.root
        let to = other.dataset.store.root
        try await sandbox.sh("mkdir -p '\(to)' && cp -r '\(from)/.' '\(to)/'")
        try Files.replace(other.dataset.pointerFile, with: try Files.read(dataset.pointerFile) ?? [])
    }

    /// The names of the packs of the state that the pointer names.
    func packs() throws -> Set<ContentID> {
        guard let pointer = try dataset.pointer() else { return [] }
        return Set(try dataset.root(pointer).packs.map(\.content))
    }
}

extension String {
    /// The text as a line for bash.
    var bash: String { "bash -ec '" + replacing("'", with: "'\\''") + "'" }
}

extension SeededGenerator {
    mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: next()) { bytes += $0 } }
        return Array(bytes.prefix(count))
    }

    mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &self) }
}
