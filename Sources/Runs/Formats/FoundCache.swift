internal import Base
internal import GitKit
internal import SystemPackage

/// What has been taken in from the work tree: `<common>/ml/cache/found.json`.
///
/// It only saves looking again: when it is lost, the ids of the runs tell.
struct FoundCache {
    struct Entry: Equatable {
        /// Sizes and times of what was read; another text means that it has changed.
        var state: String
        /// The commit that the run was recorded on; nil when there was nothing to record.
        var code: ObjectID?
    }

    private let file: FilePath
    /// By the path from the top of the work tree.
    private(set) var entries: [String: Entry] = [:]

    init(_ repository: Repository) {
        // Two work trees of one repository hold different files under the same paths.
        let tree = Digest.of(repository.gitDirectory.string).hex.prefix(16)
        let isLinked = repository.gitDirectory != repository.commonDirectory
        file = repository.mlDirectory.appending("cache").appending(isLinked ? "found-\(tree).json" : "found.json")
    }

    /// Reads the file; one that is not there or damaged is an empty one.
    mutating func load() {
        guard let bytes = try? Files.read(file), let json = try? JSON.parse(bytes) else { return }
        for member in json["found"]?.members ?? [] {
            guard let state = member.value["state"]?.string else { continue }
            entries[member.key] = Entry(state: state, code: member.value["code"]?.string.flatMap { ObjectID($0) })
        }
    }

    /// Adds what was taken in now to what the file holds by now, and writes it.
    func remember(_ new: [String: Entry]) throws {
        try FileLock.with(file.removingLastComponent().appending("found.lock")) {
            var cache = self
            cache.entries = [:]
            cache.load()
            cache.entries.merge(new) { $1 }
            let found = cache.entries.mapValues { entry -> JSON in
                ["state": .string(entry.state), "code": .optional(entry.code?.hex)]
            }
            let json: JSON = ["version": 1, "found": .sorted(found)]
            try Files.replace(file, with: json.encoded())
        }
    }
}
