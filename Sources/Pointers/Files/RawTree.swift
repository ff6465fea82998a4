internal import Base
internal import GitKit

/// A tree object's bytes with its entries' places: names keep their bytes, whatever they are, when ids change.
struct RawTree {
    struct Entry {
        /// In octal, as it stands there.
        let mode: [UInt8]
        let name: [UInt8]
        var id: ObjectID

        var isDirectory: Bool { mode == Array("40000".utf8) }
        /// Neither a folder, a link nor a submodule; old repositories have modes such as 100664.
        var isFile: Bool { mode.starts(with: "100".utf8) }
    }

    var entries: [Entry] = []

    init(_ id: ObjectID, in repository: Repository) throws {
        let object = try repository.object(id)
        let length = repository.format.digits / 2
        var at = 0
        let bytes = object.bytes
        while at < bytes.count {
            guard object.kind == .tree, let space = bytes[at...].firstIndex(of: 0x20),
                let zero = bytes[space...].firstIndex(of: 0), zero + 1 + length <= bytes.count,
                let id = ObjectID(Hex.encode(bytes[zero + 1..<zero + 1 + length]))
            else { throw GitFailure.malformed(object: id.hex, reason: "a tree entry ends early") }
            entries.append(Entry(mode: Array(bytes[at..<space]), name: Array(bytes[space + 1..<zero]), id: id))
            at = zero + 1 + length
        }
    }

    /// Gives a file at the top an id, where git sorts it.
    mutating func set(_ name: String, _ id: ObjectID) {
        let name = Array(name.utf8)
        if let i = entries.firstIndex(where: { $0.name == name }) {
            entries[i].id = id
            return
        }
        let i = entries.firstIndex { name.lexicographicallyPrecedes($0.name + ($0.isDirectory ? [0x2f] : [])) }
        entries.insert(Entry(mode: Array("100644".utf8), name: name, id: id), at: i ?? entries.count)
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes += entry.mode
            bytes.append(0x20)
            bytes += entry.name
            bytes.append(0)
            bytes += Hex.decode(entry.id.hex) ?? []
        }
        return bytes
    }
}
