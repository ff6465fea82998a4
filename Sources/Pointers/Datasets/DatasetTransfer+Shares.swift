internal import Base
public import Storage

extension DatasetTransfer {
    /// Brings single contents out of packs, each verified, into the cache of chunks; the packs themselves stay away.
    ///
    /// Returns the packs that must come whole: the remote does not give parts of them, or gave wrong bytes.
    public func fetch(_ shares: [PackShare]) async throws -> [ContentID] {
        if shares.isEmpty { return [] }
        // A remote whose addresses are handed out in batches is asked once for all.
        let present = try await remote.present(shares.map(\.pack.content), for: .download)
        var whole = Set(shares.map(\.content)).subtracting(present)
        let work = shares.flatMap { share in share.stretches.map { (share.content, $0) } }
        let total = shares.reduce(0) { $0 + $1.size }
        let batch = try ContentBatch(chunks)
        try await withThrowingTaskGroup(of: ContentID?.self) { group in
            for (i, (pack, stretch)) in work.enumerated() {
                if i >= remote.width, let failed = try await group.next(), let failed { whole.insert(failed) }
                if whole.contains(pack) { continue }
                group.addTask {
                    let isThere = try await bring(stretch, of: pack, into: batch)
                    progress(Int64(stretch.range.count), total)
                    return isThere ? nil : pack
                }
            }
            for try await case let failed? in group { whole.insert(failed) }
        }
        try batch.place()
        return Array(whole)
    }

    private func bring(_ stretch: PackShare.Stretch, of pack: ContentID, into batch: ContentBatch) async throws -> Bool
    {
        guard let bytes = try await remote.bytes(of: pack, stretch.range), bytes.count == stretch.range.count else {
            return false
        }
        return try keep(bytes, stretch, batch)
    }

    private func keep(_ bytes: [UInt8], _ stretch: PackShare.Stretch, _ batch: ContentBatch) throws -> Bool {
        for slice in stretch.slices {
            let start = Int(slice.offset - stretch.range.lowerBound)
            let part = bytes[start..<start + Int(slice.size)]
            guard part.withUnsafeBytes({ ContentName(hashing: $0) }) == slice.name else { return false }
            _ = try batch.take(part)
        }
        return true
    }
}
