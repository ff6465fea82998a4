internal import Base
internal import GitKit
public import Storage
internal import SystemPackage

extension DatasetTransfer {
    /// What datasets consist of besides the roots of their manifests: packs and parts of the manifests, each with the path of a
    /// dataset that needs it.
    ///
    /// For a server: its own store keeps nothing. The roots, some hundred bytes for each gigabyte of data, are read where the
    /// remote is a folder of this machine, else brought to a folder that goes again.
    ///
    /// - Throws: ``DatasetFailure`` for a root that is damaged or no manifest.
    public static func parts(
        of pointers: [DatasetPointer: String], at remote: any ObjectRemote
    ) async throws -> [ContentID: String] {
        if pointers.isEmpty { return [:] }
        if let store = remote.localStore { return try parts(of: pointers, in: store) }
        let folder = FilePath(environmentValue("TMPDIR") ?? "/tmp").appending("git-ml-roots-\(UUIDv7())")
        defer { try? Files.removeTree(folder) }
        let store = ContentStore(folder)
        let roots = Set(pointers.keys.map(\.manifest))
        try await Transfer(remote, store: store).download(Array(roots))
        return try parts(of: pointers, in: store)
    }

    private static func parts(
        of pointers: [DatasetPointer: String], in store: ContentStore
    ) throws -> [ContentID: String] {
        var found: [ContentID: String] = [:]
        for (pointer, path) in pointers {
            for content in try Dataset.root(pointer, name: path, store: store).contents { found[content] = path }
        }
        return found
    }
}
