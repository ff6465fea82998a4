internal import Base
internal import Storage

/// A content object that holds many contents, or many parts of a manifest.
struct Pack: Hashable, Sendable {
    let name: ContentName
    /// In bytes.
    let size: Int64

    var content: ContentID { ContentID(name.digest, size: size) }
}

/// The root of a manifest: its packs, and where its parts lie.
///
/// See ``DatasetPointer`` for the format.
struct ManifestRoot: Sendable {
    struct Part: Sendable {
        let name: ContentName
        let size: Int64
        /// A place in ``ManifestRoot/indexes``.
        let pack: Int
        let offset: Int64
    }

    /// No root is larger: that of a hundred million files has some 80 MB.
    static let maximumSize: Int64 = 256 << 20
    private static let version = "git-ml-manifest 1"

    var packs: [Pack] = []
    var indexes: [Pack] = []
    var parts: [Part] = []

    init() {}

    var bytes: [UInt8] {
        var text = Array((Self.version + "\n").utf8)
        for (word, packs) in [("pack ", packs), ("index ", indexes)] {
            for pack in packs {
                text += word.utf8
                pack.name.appendHex(to: &text)
                text += " \(pack.size)\n".utf8
            }
        }
        for part in parts {
            text += "part ".utf8
            part.name.appendHex(to: &text)
            text += " \(part.size) ".utf8
            ContentName.appendHex(indexes[part.pack].name.prefix, to: &text)
            text += " \(part.offset)\n".utf8
        }
        return text
    }

    /// Reads a root; `name` is the dataset's, for messages.
    init(_ bytes: [UInt8], name: String) throws(DatasetFailure) {
        var number = 0
        var lastPack: ContentName?
        var places: [UInt64: Int] = [:]
        let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
        func bad(_ reason: String) -> DatasetFailure { .manifest(name, line: number, reason) }
        number = 1
        guard lines.count >= 2, lines[0].elementsEqual(Self.version.utf8), lines.last?.isEmpty == true else {
            throw bad("must be “\(Self.version)”, and the last must be whole")
        }
        for line in lines.dropFirst().dropLast() {
            number += 1
            let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
            guard words.count >= 3, let content = words[1].withUnsafeBytes({ ContentName(hex: $0) }),
                let size = Self.number(words[2]), size > 0
            else { throw bad("is none that a manifest's root can have") }
            switch String(decoding: words[0], as: UTF8.self) {
            case "pack" where words.count == 3 && indexes.isEmpty && parts.isEmpty:
                if let lastPack, lastPack >= content { throw bad("is out of order") }
                packs.append(Pack(name: content, size: size))
                lastPack = content
            case "index" where words.count == 3 && parts.isEmpty:
                if indexes.isEmpty { lastPack = nil }
                if let lastPack, lastPack >= content { throw bad("is out of order") }
                places[content.prefix] = indexes.count
                indexes.append(Pack(name: content, size: size))
                lastPack = content
            case "part" where words.count == 5:
                guard let prefix = words[3].withUnsafeBytes({ ContentName.word(hex: $0) }), let pack = places[prefix],
                    let offset = Self.number(words[4]), size <= 1 << 20, offset <= indexes[pack].size - size
                else { throw bad("names a place that is not there") }
                parts.append(Part(name: content, size: size, pack: pack, offset: offset))
            default: throw bad("is none that a manifest's root can have")
            }
        }
    }

    /// A number without sign and leading zeros that fits into 63 bits.
    static func number(_ text: some Collection<UInt8>) -> Int64? {
        guard let first = text.first, text.count == 1 || first != 48 else { return nil }
        var value: Int64 = 0
        for unit in text {
            guard unit >= 48, unit <= 57 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, more) = product.addingReportingOverflow(Int64(unit - 48))
            if overflow || more { return nil }
            value = sum
        }
        return value
    }

    /// All contents that a dataset consists of, besides the root itself.
    var contents: [ContentID] { (packs + indexes).map(\.content) }
}
