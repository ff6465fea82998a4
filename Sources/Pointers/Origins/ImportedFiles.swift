internal import Base
internal import GitKit
internal import Storage
internal import SystemPackage

/// The files of one import, as pointers by their path below it (empty: the import is that file).
struct ImportedFiles: Sendable {
    struct File: Hashable, Sendable {
        let pointer: Pointer
        let isExecutable: Bool
    }

    var files: [[UInt8]: File] = [:]

    /// What ``ImportRecord`` keeps.
    func digest(isFolder: Bool) -> Digest? {
        if !isFolder { return files[[]]?.pointer.digest }
        var hasher = Digest.Hasher()
        for (path, file) in files.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let mode = file.isExecutable ? "755" : "644"
            hasher.update(Array("\(file.pointer.digest.hex) \(file.pointer.size) \(mode) ".utf8) + path + [0])
        }
        return hasher.finish()
    }

    /// What the index holds below a path, told by the path below it.
    static func inIndex(_ entries: [PointerIndex.Entry], below path: String) -> ImportedFiles {
        var result = ImportedFiles()
        for entry in entries {
            let rest = Array(entry.path.dropFirst(path.utf8.count))
            result.files[rest.first == 0x2f ? Array(rest.dropFirst()) : rest] = File(
                pointer: entry.pointer, isExecutable: entry.isExecutable)
        }
        return result
    }

    /// Brings a selection's content into the store; what git itself stored there becomes content here too.
    static func take(
        _ selection: OriginSelection, of other: OtherRepository, into store: ContentStore,
        progress: @escaping OtherRepository.Progress
    ) async throws -> ImportedFiles {
        if let link = selection.entries.first(where: { $0.mode == .link }) {
            throw OriginFailure.refused(path: selection.name(link), reason: "is a link, and only files are imported")
        }
        if let nested = selection.nestedDatasets.first {
            throw OriginFailure.refused(path: nested, reason: "is a dataset, which is imported by its own name")
        }
        try await other.download(selection, into: store, progress: progress)
        var result = ImportedFiles()
        let reader = try BlobReader(other)
        for entry in selection.entries {
            var pointer = entry.pointer
            if pointer == nil {
                let (digest, size) = try store.insert { put in try reader.read(entry.id, put) }
                pointer = Pointer(digest: digest, size: size)
            }
            if let pointer { result.files[entry.path] = File(pointer: pointer, isExecutable: entry.isExecutable) }
        }
        return result
    }
}
