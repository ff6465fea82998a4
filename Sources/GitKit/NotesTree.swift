/// Reads and edits a notes tree, spread over folders exactly as git spreads it.
///
/// A note on `abcdef…` lies at `abcdef…`, `ab/cdef…` or `ab/cd/ef…`. Git decides folder by folder: when each of the
/// sixteen first digits has at least two notes (or a subfolder) in it, the folder is split by the first two digits
/// (git's `notes.c`, `determine_fanout`). An edit touches only the folders on the way to the note.
struct NotesTree {
    typealias Entry = NotesFolder.Entry
    /// What to do with a note that both sides have: the blob to keep, nil to keep neither.
    ///
    /// Not asked where both are the same.
    typealias Combine = (_ mine: ObjectID, _ theirs: ObjectID) throws -> ObjectID?

    let repository: Repository

    /// Calls `body` for every note below a tree or commit: annotated object and blob.
    func each(_ root: ObjectID?, _ body: (_ object: ObjectID, _ blob: ObjectID) throws -> Void) throws {
        guard let root else { return }
        let folder = try read(root)
        try each(folder.entries[...], below: [], length: root.hex.utf8.count, body)
    }

    private func each(
        _ entries: ArraySlice<Entry>, below: [UInt8], length: Int, _ body: (ObjectID, ObjectID) throws -> Void
    ) throws {
        for entry in entries {
            if entry.isFolder {
                try each(try read(entry.id).entries[...], below: below + entry.name, length: length - 2, body)
            } else if entry.isNote(length), let object = ObjectID(String(decoding: below + entry.name, as: UTF8.self)) {
                try body(object, entry.id)
            }
        }
    }

    /// The blob of the note on an object; nil when it has none.
    func note(on object: ObjectID, root: ObjectID?) throws -> ObjectID? {
        guard var folder = root else { return nil }
        var rest = Array(object.hex.utf8)[...]
        while true {
            let entries = try read(folder).entries
            if let entry = entries.first(where: { !$0.isDirectory && $0.name.elementsEqual(rest) }) { return entry.id }
            guard rest.count > 2,
                let next = entries.first(where: { $0.isDirectory && $0.name.elementsEqual(rest.prefix(2)) })
            else { return nil }
            folder = next.id
            rest = rest.dropFirst(2)
        }
    }

    /// Sets notes and returns the new tree.
    ///
    /// What is no note in it stays as it is.
    func setting(_ notes: [ObjectID: ObjectID], root: ObjectID?) throws -> ObjectID {
        let entries = notes.map { Entry($0.key.hex.utf8, isDirectory: false, rawID: $0.value.bytes) }
        return try merging(
            try root.map(read) ?? NotesFolder([]), NotesFolder(entries.sorted(by: Entry.precedes)),
            length: notes.keys.first?.hex.utf8.count ?? 40
        ) { $1 }
    }

    /// Takes notes out; `notes` are objects and the blobs that their notes are.
    ///
    /// Folders stay split as they are; one that becomes empty goes.
    func removing(_ notes: [ObjectID: ObjectID], root: ObjectID) throws -> ObjectID {
        if notes.isEmpty { return try read(root).id ?? root }
        // Differs from every note, so that it is asked for.
        let mark = try repository.write(.blob, Array("gone\n".utf8))
        let entries = notes.keys.map { Entry($0.hex.utf8, isDirectory: false, rawID: mark.bytes) }
        return try merging(
            read(root), NotesFolder(entries.sorted(by: Entry.precedes)), length: root.hex.utf8.count
        ) { mine, theirs in theirs == mark ? nil : mine }
    }

    /// Unites two trees, folder by folder; equal folders are not looked into.
    ///
    /// What is no note and stands in both is `a`'s.
    func merging(_ a: ObjectID, _ b: ObjectID, _ combine: Combine) throws -> ObjectID {
        try merging(read(a), read(b), length: a.hex.utf8.count, combine)
    }

    /// Calls `body` for every note that differs between two trees or commits; equal folders are not looked into.
    func changes(from a: ObjectID?, to b: ObjectID?, _ body: (ObjectID, ObjectID?, ObjectID?) throws -> Void) throws {
        guard let length = (a ?? b)?.hex.utf8.count, a != b else { return }
        try changes(try a.map(read) ?? NotesFolder([]), try b.map(read) ?? NotesFolder([]), below: [], length, body)
    }

    private func read(_ id: ObjectID) throws -> NotesFolder {
        let object = try repository.object(id)
        switch object.kind {
        case .tree: return try NotesFolder(bytes: object.bytes, id: id)
        case .commit: return try read(Commit(bytes: object.bytes, id: id).tree)
        default: throw GitFailure.malformed(object: id.hex, reason: "it is a \(object.kind), not a tree")
        }
    }
}

// MARK: - Differences

extension NotesTree {
    private func changes(
        _ a: NotesFolder, _ b: NotesFolder, below: [UInt8], _ length: Int,
        _ body: (ObjectID, ObjectID?, ObjectID?) throws -> Void
    ) throws {
        if a.id != nil, a.id == b.id { return }
        try NotesFolder.pairs(a, b) { mine, theirs in
            if mine.elementsEqual(theirs, by: { $0.bytes.elementsEqual($1.bytes) }) { return }
            if let x = mine.first, let y = theirs.first, mine.count == 1, theirs.count == 1, x.isFolder, y.isFolder {
                return try changes(read(x.id), read(y.id), below: below + x.name, length - 2, body)
            }
            // Notes, or a folder on one side only: a folder that was split just now, or whatever is new.
            var old: [ObjectID: ObjectID] = [:]
            try each(mine, below: below, length: length) { old[$0] = $1 }
            try each(theirs, below: below, length: length) { object, blob in
                let before = old.removeValue(forKey: object)
                if before != blob { try body(object, before, blob) }
            }
            for (object, blob) in old { try body(object, blob, nil) }
        }
    }
}

// MARK: - Merging

extension NotesTree {
    /// Unites two folders and stores the result, unless it is one of the two.
    ///
    /// `length` is that of a note's name in them.
    private func merging(_ a: NotesFolder, _ b: NotesFolder, length: Int, _ combine: Combine) throws -> ObjectID {
        if let id = a.id, id == b.id { return id }
        var result: [Entry] = []
        try NotesFolder.pairs(a, b) { mine, theirs in
            try result += united(mine, theirs, length, combine)
        }
        if Self.isCrowded(result, length) { result = try split(result, length, combine) }
        if !result.allSatisfy({ $0.isFolder || $0.isNote(length) }) { result.sort(by: Entry.precedes) }

        var bytes: [UInt8] = []
        for entry in result { bytes += entry.bytes }
        if let id = a.id, a.isStored(as: bytes) { return id }
        if let id = b.id, b.isStored(as: bytes) { return id }
        return try repository.write(.tree, bytes)
    }

    /// Unites what two folders hold below the same two digits.
    private func united(
        _ mine: ArraySlice<Entry>, _ theirs: ArraySlice<Entry>, _ length: Int, _ combine: Combine
    ) throws -> [Entry] {
        if theirs.isEmpty, mine.count == 1 { return Array(mine) }
        if mine.isEmpty, theirs.count == 1 { return Array(theirs) }
        guard let prefix = (mine.first ?? theirs.first)?.prefix else { return [] }
        guard mine.contains(where: \.isFolder) || theirs.contains(where: \.isFolder) else {
            return try unitedFiles(mine, theirs, length, combine)
        }
        let others = try unitedFiles(
            mine.filter { !$0.isFolder && !$0.isNote(length) }[...],
            theirs.filter { !$0.isFolder && !$0.isNote(length) }[...], length, combine)
        let below = try merging(
            folder(of: mine, length, combine), folder(of: theirs, length, combine), length: length - 2, combine)
        if below == repository.emptyTree { return others }
        return [Entry(prefix, isDirectory: true, rawID: below.bytes)] + others
    }

    /// One side's notes below two digits as a folder, loose ones put in.
    private func folder(of group: ArraySlice<Entry>, _ length: Int, _ combine: Combine) throws -> NotesFolder {
        let loose = NotesFolder(group.filter { $0.isNote(length) }.map(\.deeper))
        guard let folder = group.first(where: \.isFolder) else { return loose }
        if loose.entries.isEmpty { return try read(folder.id) }
        return try read(merging(read(folder.id), loose, length: length - 2, combine))
    }

    private func unitedFiles(
        _ mine: ArraySlice<Entry>, _ theirs: ArraySlice<Entry>, _ length: Int, _ combine: Combine
    ) throws -> [Entry] {
        var (a, b) = (mine, theirs)
        var result: [Entry] = []
        result.reserveCapacity(a.count + b.count)
        while let x = a.first, let y = b.first {
            if Entry.precedes(x, y) {
                result.append(x)
                a.removeFirst()
            } else if Entry.precedes(y, x) {
                result.append(y)
                b.removeFirst()
            } else {
                if x.isNote(length), !x.rawID.elementsEqual(y.rawID) {
                    if let blob = try combine(x.id, y.id) {
                        result.append(Entry(x.name, isDirectory: false, rawID: blob.bytes))
                    }
                } else {
                    result.append(x)
                }
                a.removeFirst()
                b.removeFirst()
            }
        }
        return result + a + b
    }

    /// Moves every note one folder deeper.
    private func split(_ entries: [Entry], _ length: Int, _ combine: Combine) throws -> [Entry] {
        try NotesFolder(entries).groups.flatMap { group -> [Entry] in
            guard let prefix = group.first?.prefix, group.contains(where: { $0.isNote(length) }) else {
                return Array(group)
            }
            let below = try merging(
                folder(of: group, length, combine), NotesFolder([]), length: length - 2, combine)
            return [Entry(prefix, isDirectory: true, rawID: below.bytes)]
                + group.filter { !$0.isFolder && !$0.isNote(length) }
        }
    }

    private static func isCrowded(_ entries: [Entry], _ length: Int) -> Bool {
        guard length > 2, entries.contains(where: { $0.isNote(length) }) else { return false }
        var count = [Int](repeating: 0, count: 256)
        for entry in entries {
            guard let digit = entry.name.first else { continue }
            if entry.isFolder { count[Int(digit)] += 2 } else if entry.isNote(length) { count[Int(digit)] += 1 }
        }
        return "0123456789abcdef".utf8.allSatisfy { count[Int($0)] >= 2 }
    }
}
