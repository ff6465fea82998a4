internal import Base
internal import GitKit
internal import SystemPackage

/// Where objects lie in the packs of a repository.
///
/// A pack holds most objects as differences to their neighbours. Reading them in the order of the pack finds the
/// neighbour in libgit2's small cache; any other order inflates whole chains again, fifty deep, for every object.
struct PackOrder {
    private let indexes: [[UInt8]]

    init(_ repository: Repository) {
        let folder = repository.commonDirectory.appending("objects").appending("pack")
        let names = ((try? Files.list(folder)) ?? []).filter { $0.hasSuffix(".idx") }.sorted()
        indexes = names.compactMap { try? Files.read(folder.appending($0)) }.filter(Self.isReadable)
    }

    /// Version 2, names of 20 bytes: git's `gitformat-pack`, "pack-*.idx files".
    private static func isReadable(_ index: [UInt8]) -> Bool {
        guard index.count > 8 + 1024, Array(index[..<8]) == [0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2] else { return false }
        return index.count >= 8 + 1024 + Int(number(index, 8 + 1020)) * 28 + 40
    }

    private static func number(_ index: [UInt8], _ at: Int) -> UInt32 {
        UInt32(index[at]) << 24 | UInt32(index[at + 1]) << 16 | UInt32(index[at + 2]) << 8 | UInt32(index[at + 3])
    }

    /// A number that grows along the packs; the highest for what is in none, or far behind in a large one.
    func place(_ object: RawID) -> UInt64 {
        for (pack, index) in indexes.enumerated() {
            let first = Int(object.bytes.0 >> 56)
            var low = first == 0 ? 0 : Int(Self.number(index, 8 + (first - 1) * 4))
            var high = Int(Self.number(index, 8 + first * 4))
            let count = Int(Self.number(index, 8 + 1020))
            guard low <= high, high <= count else { continue }
            while low < high {
                let middle = (low + high) / 2
                let other = RawID(index, at: 8 + 1024 + middle * 20)
                if other.bytes == object.bytes {
                    return UInt64(pack) << 32 | UInt64(Self.number(index, 8 + 1024 + count * 24 + middle * 4))
                }
                if other.bytes < object.bytes { low = middle + 1 } else { high = middle }
            }
        }
        return .max
    }
}

/// The 20 bytes of an object's id, without a text on the heap.
struct RawID {
    let bytes: (UInt64, UInt64, UInt32)

    init(_ index: [UInt8], at start: Int) {
        func word(_ from: Int, _ count: Int) -> UInt64 {
            index[start + from..<start + from + count].reduce(0) { $0 << 8 | UInt64($1) }
        }
        bytes = (word(0, 8), word(8, 8), UInt32(word(16, 4)))
    }

    /// Nil for ids of SHA-256.
    init?(_ id: ObjectID) {
        guard let bytes = Hex.decode(id.hex), bytes.count == 20 else { return nil }
        self.init(bytes, at: 0)
    }

    var id: ObjectID? {
        func padded(_ value: some BinaryInteger, _ width: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: width - text.count) + text
        }
        return ObjectID(padded(bytes.0, 16) + padded(bytes.1, 16) + padded(bytes.2, 8))
    }
}
