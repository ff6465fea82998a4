internal import Base
internal import Synchronization
internal import SystemPackage

/// What was written since a ref last moved: nothing leads to it yet, so `git gc --prune=now` may take it away at any
/// moment until the ref has moved, and a gc that looked before that moment may do so even after it.
struct RecentObjects: Sendable {
    private(set) var objects: [(id: ObjectID, kind: ObjectKind, bytes: [UInt8])] = []
    private var size = 0
    /// More than this is not kept in memory: who writes so much at once is no hook.
    private static let limit = 16 << 20

    mutating func add(_ id: ObjectID, _ kind: ObjectKind, _ bytes: [UInt8]) {
        size += bytes.count
        if size > Self.limit { objects = [] } else { objects.append((id, kind, bytes)) }
    }
}

extension Repository {
    /// Writes again what is gone of the recent objects.
    func restoreRecent() throws {
        let folder = LooseObjects(folder: commonDirectory.appending("objects"))
        let objects = recent.withLock { $0.objects }
        try withoutFlushing {
            for object in objects where !folder.contains(object.id) {
                _ = try backend.write(object.kind, object.bytes)
            }
        }
    }

    /// Sees to it that what a ref now leads to stays.
    ///
    /// When no gc runs, one that ran before is over: what it took is written again, and the next one finds the ref.
    /// Beside one that runs (`gc.pid`), the objects go into a pack: gc deletes no pack that is younger than itself,
    /// and `git prune` deletes none at all.
    func secureRecent() throws {
        if Files.exists(commonDirectory.appending("gc.pid")) {
            let objects = recent.withLock { $0.objects }
            if !objects.isEmpty {
                try program().writePack(PackStream(objects.map { ($0.kind, $0.bytes) }, format: format))
            }
        } else {
            try restoreRecent()
        }
        recent.withLock { $0 = RecentObjects() }
    }
}

extension ProgramBackend {
    /// Stores a pack beside git's own.
    ///
    /// It is made elsewhere and moved there: `git prune` deletes temporary files among the packs, those of a living
    /// `git index-pack` too.
    func writePack(_ pack: PackStream) throws {
        let name = "pack-" + Hex.encode(pack.bytes.suffix(place.format.digits / 2))
        let folder = place.commonDirectory.appending("ml").appending("tmp")
        let (data, index) = (folder.appending(name + ".pack"), folder.appending(name + ".idx"))
        try Files.replace(data, with: pack.bytes, mode: 0o444)
        _ = try run(
            "index \(data)", Self.durably + ["-c", "pack.writeReverseIndex=false", "index-pack", data.string])
        let packs = place.commonDirectory.appending("objects").appending("pack")
        try Files.makeDirectory(packs)
        try Files.rename(data, to: packs.appending(name + ".pack"))
        try Files.rename(index, to: packs.appending(name + ".idx"))
        Files.flush(packs)
    }
}
