internal import Base

extension Notes {
    /// Adds lines like ``add(_:message:)``; where a commit's note is full they go to its batch commits.
    public func addInBatches(_ lines: [ObjectID: [String]], message: String) throws {
        var placed: [ObjectID: [String]] = [:]
        var made: [ObjectID] = []
        let batches = BatchCommits(repository)
        for (object, new) in lines {
            let bytes = new.reduce(0) { $0 + $1.utf8.count + 1 }
            guard try (size(on: object) ?? 0) + bytes > BatchCommits.full else {
                placed[object, default: []] += new
                continue
            }
            // What stands in one of the notes already must not come into the next as well.
            let places = try batches.places(of: object) { try size(on: $0) }
            let known = Set(try places.flatMap { try self.lines(on: $0) })
            let slices = new.filter { !known.contains($0) }.map { Array($0.utf8)[...] }
            for part in try batches.placing(slices, on: object, size: { try size(on: $0) }) {
                placed[part.place, default: []] += part.lines.map { String(decoding: $0, as: UTF8.self) }
                if part.place != object { made.append(part.place) }
            }
        }
        try KeptCommits(repository).keep(made)
        try add(placed, message: message)
    }

    /// The lines that stand on the batch commits of an object, in a notes tree.
    func batchLines(of object: ObjectID, root: ObjectID) throws -> [UInt8] {
        let tree = NotesTree(repository: repository)
        let places = try BatchCommits(repository).places(of: object) {
            try tree.note(on: $0, root: root).flatMap { try repository.header($0)?.size }
        }
        return try places.dropFirst().reduce(into: []) { lines, place in
            guard let blob = try tree.note(on: place, root: root) else { return }
            lines = NoteLines.union(lines, try repository.blob(blob))
        }
    }

    /// Takes what is too much for a note to batch commits, whole runs at a time, and returns the new tree.
    ///
    /// `trimmed` are the bytes of the blobs that stand in the tree in place of unions above ``BatchCommits/limit``, by blob.
    /// Depends on the tree alone, so that two clones do the same. Returns the batch commits too.
    func spilling(_ overfull: [ObjectID: [UInt8]], tree root: ObjectID) throws -> (tree: ObjectID, batches: [ObjectID])
    {
        if overfull.isEmpty { return (root, []) }
        let tree = NotesTree(repository: repository)
        var objects: [(object: ObjectID, union: [UInt8])] = []
        try tree.each(root) { object, blob in
            if let union = overfull[blob] { objects.append((object, union)) }
        }
        var blobs: [ObjectID: ObjectID] = [:]
        var made: [ObjectID] = []
        for (object, union) in objects {
            let lines = NoteLines.missing(union, in: try batchLines(of: object, root: root))
            let parts = try BatchCommits(repository).placing(lines, on: object) { place in
                if place == object { return 0 }  // filled anew
                return try tree.note(on: place, root: root).flatMap { try repository.header($0)?.size }
            }
            for part in parts {
                let old = part.place == object ? nil : try tree.note(on: part.place, root: root)
                let bytes = NoteLines.union(
                    try old.map { try repository.blob($0) } ?? [], Array(part.lines.joined(separator: [0x0a])))
                blobs[part.place] = try repository.write(.blob, bytes)
                if part.place != object { made.append(part.place) }
            }
        }
        return (try tree.setting(blobs, root: root), made)
    }
}
