internal import Base
public import Storage

/// What a checkout needs of packs that are not here.
struct PackNeeds {
    private struct Need {
        var slices: [Slice] = []
        var bytes: Int64 = 0
    }

    private let packs: [Pack]
    private let isHere: [Bool]
    /// Nil: there are none.
    private let chunks: ContentStore?
    private var needs: [Int: Need] = [:]

    init(_ packs: [Pack], _ dataset: Dataset) {
        self.packs = packs
        isHere = packs.map { dataset.store.contains($0.name.digest, size: $0.size) }
        chunks = Files.exists(dataset.chunks.root) ? dataset.chunks : nil
    }

    /// Whether all of an entry's content is here, in packs or by itself.
    func has(_ slices: [Slice]) -> Bool { slices.allSatisfy { isHere[$0.pack] || hasChunk($0) } }

    private func hasChunk(_ slice: Slice) -> Bool { chunks?.contains(slice.name.digest, size: slice.size) ?? false }

    mutating func add(_ slices: [Slice]) {
        for slice in slices where !isHere[slice.pack] && !hasChunk(slice) {
            let bytes = (needs[slice.pack]?.bytes ?? 0) + slice.size
            needs[slice.pack, default: Need()].bytes = bytes
            // Of a pack that comes whole nothing more need be known.
            if PackShare.isSmall(bytes, of: packs[slice.pack]) {
                needs[slice.pack]?.slices.append(slice)
            } else {
                needs[slice.pack]?.slices = []
            }
        }
    }

    /// The packs that something is needed of.
    var contents: [ContentID] { needs.keys.sorted().map { packs[$0].content } }

    /// Those of them of which so little is needed that it may come by itself.
    var shares: [PackShare] {
        needs.sorted { $0.key < $1.key }.compactMap { key, need in
            PackShare.isSmall(need.bytes, of: packs[key]) ? PackShare(packs[key], need.slices) : nil
        }
    }
}

/// A small share of a pack: some of the contents that it holds.
public struct PackShare: Sendable {
    /// What lies closer together is brought as one.
    private static let gap: Int64 = 128 << 10
    /// At most so much in one request.
    private static let largest: Int64 = 4 << 20
    /// Smaller packs come whole.
    private static let smallestPack: Int64 = 1 << 20

    struct Stretch: Sendable {
        var range: Range<Int64>
        var slices: [Slice]
    }

    let pack: Pack
    public var content: ContentID { pack.content }
    /// What is wanted of it.
    public var parts: [ContentID] {
        stretches.flatMap(\.slices).map { ContentID($0.name.digest, size: $0.size) }
    }
    let stretches: [Stretch]
    /// In bytes, with what lies between.
    var size: Int64 { stretches.reduce(0) { $0 + Int64($1.range.count) } }

    /// Under a quarter.
    static func isSmall(_ bytes: Int64, of pack: Pack) -> Bool { pack.size > smallestPack && bytes < pack.size / 4 }

    /// Nil when what lies between the contents makes it too much.
    init?(_ pack: Pack, _ slices: [Slice]) {
        self.pack = pack
        var stretches: [Stretch] = []
        for slice in slices.sorted(by: { $0.offset < $1.offset }) {
            let end = slice.offset + slice.size
            if let last = stretches.last, slice.offset - last.range.upperBound <= Self.gap,
                end - last.range.lowerBound <= Self.largest
            {
                stretches[stretches.count - 1].range = last.range.lowerBound..<max(end, last.range.upperBound)
                stretches[stretches.count - 1].slices.append(slice)
            } else {
                stretches.append(Stretch(range: slice.offset..<end, slices: [slice]))
            }
        }
        self.stretches = stretches
        guard Self.isSmall(size, of: pack) else { return nil }
    }
}

/// Brings shares of packs, or throws; returns the packs that must come whole.
public typealias ShareFetch = @Sendable (_ shares: [PackShare]) async throws -> [ContentID]
