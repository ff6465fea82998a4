/// What an entry is, as git's modes say.
enum EntryMode: UInt8, Sendable {
    case file, executable, link, folder

    var text: String {
        switch self {
        case .file: "100644"
        case .executable: "100755"
        case .link: "120000"
        case .folder: "040000"
        }
    }

    init?(_ text: UnsafeRawBufferPointer) {
        switch String(decoding: text, as: UTF8.self) {
        case "100644": self = .file
        case "100755": self = .executable
        case "120000": self = .link
        case "040000": self = .folder
        default: return nil
        }
    }
}

/// A stretch of a pack.
struct Slice: Sendable, Equatable {
    let name: ContentName
    let size: Int64
    /// A place in a table of packs.
    var pack: Int
    var offset: Int64
}

/// Where an entry's content lies.
enum EntryContent: Sendable, Equatable {
    case nothing
    case whole(pack: Int, offset: Int64)
    case parts([Slice])
}

/// One line of a manifest.
struct ManifestEntry: Sendable, Equatable {
    var path: [UInt8]
    var name: ContentName
    var size: Int64
    var mode: EntryMode
    var content: EntryContent

    /// The stretches of packs that its content lies in.
    var slices: [Slice] {
        switch content {
        case .nothing: []
        case .whole(let pack, let offset): [Slice(name: name, size: size, pack: pack, offset: offset)]
        case .parts(let slices): slices
        }
    }

    func isSame(as other: ManifestEntry) -> Bool { name == other.name && mode == other.mode && size == other.size }
}
