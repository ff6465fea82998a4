internal import Base

extension Repository {
    /// From how many blobs on a pack is cheaper than a file for each.
    private static let packFrom = 64

    /// Stores many blobs and returns their ids in the same order.
    ///
    /// A few become loose objects, many one pack, flushed once.
    public func writeBlobs(_ blobs: [[UInt8]]) async throws -> [ObjectID] {
        if blobs.count < Self.packFrom { return try withoutFlushing { try blobs.map { try write(.blob, $0) } } }
        let ids = blobs.map { format.id(of: .blob, $0) }
        var seen: Set<ObjectID> = []
        let objects = zip(ids, blobs).filter { seen.insert($0.0).inserted }.map { (kind: ObjectKind.blob, bytes: $0.1) }
        try await git.run(["index-pack", "--stdin"], input: PackStream(objects, format: format).bytes)
        return ids
    }

    /// The id that a blob of these bytes has here, stored or not.
    public func blobID(_ bytes: [UInt8]) -> ObjectID { format.id(of: .blob, bytes) }
}
