internal import Base
internal import GitKit

/// The notes at one commit of the ref of runs, wherever the ref goes meanwhile.
struct NoteView {
    let repository: Repository
    /// The commit; nil when the ref is not there.
    let head: ObjectID?
    let clock: LineClock
    let purged: PurgedRuns
    private let purgedKeys: Set<RunKey>

    init(_ repository: Repository, head: ObjectID?) throws {
        self.repository = repository
        self.head = head
        clock = LineClock(repository, head: head)
        purged = try PurgedRuns(repository)
        purgedKeys = Set(purged.runs.compactMap { RunKey($0) })
    }

    /// The run that a line tells of; nil for one that was purged, which a plain `git notes merge` can have brought back.
    func run(of line: UnsafeBufferPointer<UInt8>) -> RunKey? {
        NoteLines.run(of: line).flatMap { purgedKeys.contains($0) ? nil : $0 }
    }

    /// The bytes of the note on an object; nil when it has none.
    func note(on object: ObjectID) throws -> [UInt8]? {
        guard var folder = head else { return nil }
        var rest = object.hex[...]
        while true {
            let entries = try repository.tree(folder).entries
            if let entry = entries.first(where: { $0.name == rest && $0.mode != .directory }) {
                return try repository.blob(entry.id)
            }
            guard rest.utf8.count > 2,
                let next = entries.first(where: { $0.name == rest.prefix(2) && $0.mode == .directory })
            else { return nil }
            folder = next.id
            rest = rest.dropFirst(2)
        }
    }

    /// Calls `body` for every note that differs from those at `old` (nil: for every note), with the blobs before and after.
    func changes(
        since old: ObjectID?, _ body: (_ object: ObjectID, _ old: ObjectID?, _ new: ObjectID?) throws -> Void
    ) throws {
        if let head { try Notes(RunLog.ref, in: repository).changes(from: old, to: head, body) }
    }

    /// Calls `body` for every note, in the order in which they are read fastest; the part that is done comes along.
    func each(_ body: (_ object: ObjectID, _ blob: ObjectID, _ part: Double) throws -> Void) throws {
        let order = PackOrder(repository)
        var places: [(place: UInt64, object: RawID, blob: RawID)] = []
        try changes(since: nil) { object, _, blob in
            guard let blob else { return }
            if let rawObject = RawID(object), let rawBlob = RawID(blob) {
                places.append((order.place(rawBlob), rawObject, rawBlob))
            } else {
                try body(object, blob, 0)
            }
        }
        places.sort { $0.place < $1.place }
        for (i, place) in places.enumerated() {
            guard let object = place.object.id, let blob = place.blob.id else { continue }
            try body(object, blob, Double(i) / Double(places.count))
        }
    }
}
