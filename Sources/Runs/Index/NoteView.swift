internal import Base
internal import GitKit

/// The notes at one commit of a notes ref, and how they differ from those at another.
struct NoteView {
    let repository: Repository
    /// The commit; nil when the ref is not there.
    let head: ObjectID?

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

    /// Calls `body` for each note, in the order of the objects' ids.
    func each(_ body: (_ object: ObjectID, _ blob: ObjectID) throws -> Void) throws {
        guard let head else { return }
        try repository.walk(head) { path, entry in
            if let object = ObjectID(path.replacing("/", with: "")) { try body(object, entry.id) }
        }
    }

    /// Calls `body` for each note that differs between two commits of the ref; folders that are the same are not read.
    static func differences(
        in repository: Repository, from old: ObjectID, to new: ObjectID,
        _ body: (_ object: ObjectID, _ old: ObjectID?, _ new: ObjectID?) throws -> Void
    ) throws {
        // Where git has split a folder, a note's path changes and its content may not: pair by object, not by path.
        var olds: [ObjectID: ObjectID] = [:]
        var news: [ObjectID: ObjectID] = [:]
        try compare(repository, old, new, "", &olds, &news)
        for (object, blob) in olds where news[object] == nil { try body(object, blob, nil) }
        for (object, blob) in news where olds[object] != blob { try body(object, olds[object], blob) }
    }

    private static func compare(
        _ repository: Repository, _ old: ObjectID?, _ new: ObjectID?, _ path: String,
        _ olds: inout [ObjectID: ObjectID], _ news: inout [ObjectID: ObjectID]
    ) throws {
        let before = try old.map { try repository.tree($0).entries } ?? []
        let after = try new.map { try repository.tree($0).entries } ?? []
        let same = Set(before).intersection(after)
        var folders: [String: (old: ObjectID?, new: ObjectID?)] = [:]
        for entry in before where !same.contains(entry) {
            if entry.mode == .directory {
                folders[entry.name, default: (nil, nil)].old = entry.id
            } else if let object = ObjectID(path + entry.name) {
                olds[object] = entry.id
            }
        }
        for entry in after where !same.contains(entry) {
            if entry.mode == .directory {
                folders[entry.name, default: (nil, nil)].new = entry.id
            } else if let object = ObjectID(path + entry.name) {
                news[object] = entry.id
            }
        }
        for (name, folder) in folders { try compare(repository, folder.old, folder.new, path + name, &olds, &news) }
    }
}
