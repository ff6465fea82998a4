/// Reads and edits a notes tree, spread over folders exactly as git spreads it.
///
/// A note on `abcdef…` lies at `abcdef…`, `ab/cdef…` or `ab/cd/ef…`. Git decides folder by folder: when each of the
/// sixteen first digits has at least two notes (or a subfolder) in it, the folder is split by the first two digits
/// (git's `notes.c`, `determine_fanout`). An edit touches only the folders on the way to the note.
struct NotesTree {
    let repository: Repository

    /// Every note below a tree: annotated object to blob.
    func all(_ root: ObjectID?) throws -> [ObjectID: ObjectID] {
        var notes: [ObjectID: ObjectID] = [:]
        guard let root else { return notes }
        try repository.walk(root) { path, entry in
            if let object = ObjectID(path.replacing("/", with: "")) { notes[object] = entry.id }
        }
        return notes
    }

    /// The blob of the note on an object; nil when it has none.
    func note(on object: ObjectID, root: ObjectID?) throws -> ObjectID? {
        guard var folder = root else { return nil }
        var rest = object.hex[...]
        while true {
            let entries = try repository.tree(folder).entries
            if let entry = entries.first(where: { $0.name == rest && $0.mode != .directory }) { return entry.id }
            guard rest.count > 2,
                let next = entries.first(where: { $0.name == rest.prefix(2) && $0.mode == .directory })
            else { return nil }
            folder = next.id
            rest = rest.dropFirst(2)
        }
    }

    /// Sets notes and returns the new tree.
    ///
    /// What is no note in it stays as it is.
    func setting(_ notes: [ObjectID: ObjectID], root: ObjectID?) throws -> ObjectID {
        try setting(notes.map { ($0.key.hex[...], $0.value) }, folder: root)
    }

    private func setting(_ notes: [(rest: Substring, blob: ObjectID)], folder: ObjectID?) throws -> ObjectID {
        var files: [String: TreeEntry] = [:]
        var folders: [String: ObjectID] = [:]
        for entry in try folder.map({ try repository.tree($0).entries }) ?? [] {
            if entry.mode == .directory { folders[entry.name] = entry.id } else { files[entry.name] = entry }
        }

        var below: [String: [(rest: Substring, blob: ObjectID)]] = [:]
        for (rest, blob) in notes {
            let first = String(rest.prefix(2))
            if folders[first] != nil, files[String(rest)] == nil {
                below[first, default: []].append((rest.dropFirst(2), blob))
            } else {
                files[String(rest)] = TreeEntry(String(rest), .file, blob)
            }
        }
        if isCrowded(files: files.keys, folders: folders.keys) {
            for (name, entry) in files where name.utf8.count > 2 {
                below[String(name.prefix(2)), default: []].append((name.dropFirst(2), entry.id))
                files[name] = nil
            }
        }
        for (name, notes) in below { folders[name] = try setting(notes, folder: folders[name]) }
        return try repository.write(Tree(files.values + folders.map { TreeEntry($0.key, .directory, $0.value) }))
    }

    private func isCrowded(files: some Collection<String>, folders: some Collection<String>) -> Bool {
        var count: [UInt8: Int] = [:]
        for name in files { if let digit = name.utf8.first { count[digit, default: 0] += 1 } }
        for name in folders { if let digit = name.utf8.first { count[digit, default: 0] += 2 } }
        return "0123456789abcdef".utf8.allSatisfy { count[$0, default: 0] >= 2 }
    }
}
