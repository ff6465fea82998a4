internal import Base
internal import SystemPackage

extension ObjectRemote {
    /// Why contents that ``present(_:for:)`` does not know cannot be brought: they are not there, or what is there has another
    /// size.
    public func failure(missing contents: [ContentID]) async -> StorageFailure {
        let sorted = contents.sorted { $0.digest < $1.digest }
        for content in sorted.prefix(8) { if let failure = await wrongSize(content) { return failure } }
        return .missing(sorted.first?.digest ?? Digest.of(""), remote: address)
    }

    /// The failure that a content has another size there than its pointer says; nil when it has not, or nobody can tell.
    func wrongSize(_ content: ContentID) async -> StorageFailure? {
        guard let size = try? await size(of: content), size != content.size else { return nil }
        return .wrongSize(content.digest, said: content.size, size: size, place: address)
    }

    /// Brings one, as ``download(_:to:progress:)``; one that has another size there is told of as such.
    func fetch(
        _ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        do {
            try await download(content, to: file, progress: progress)
        } catch let failure as RemoteFailure where failure.reason == .otherLength {
            if let wrong = await wrongSize(content) { throw wrong }
            throw StorageFailure.wrongSize(content.digest, said: content.size, size: nil, place: address)
        }
    }
}
