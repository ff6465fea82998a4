internal import Base
internal import SystemPackage

/// Copies small contents between two stores of this machine, thousands with one flush.
struct StoreCopy {
    /// What is larger is worth being continued where it was interrupted.
    private static let largest: Int64 = 16 << 20
    /// An interrupted copy begins anew at the last that was full.
    private static let batch = (count: 8192, bytes: Int64(1) << 30)
    private static let slice = 64
    private static let width = 4

    private let source: ContentStore
    private let target: ContentStore
    private let direction: TransferDirection
    /// The remote's address, for messages.
    private let address: String
    /// A power cut must leave what was sent; what was brought can be brought again.
    private var isDurable: Bool { direction == .upload }

    init(_ direction: TransferDirection, _ store: ContentStore, _ remote: ContentStore, address: String) {
        (source, target) = direction == .upload ? (store, remote) : (remote, store)
        self.direction = direction
        self.address = address
    }

    /// Copies what is small, and returns the rest.
    func run(
        _ contents: [ContentID], _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> [ContentID] {
        // What was begun is continued, not copied beside.
        let begun = Set(try Files.list(target.root.appending("incoming")).filter { $0.hasSuffix(".part") })
        let isOurs = { (content: ContentID) in
            content.size <= Self.largest && (begun.isEmpty || !begun.contains("\(content.digest.hex).part"))
        }
        var rest = Set(contents.filter(isOurs)).sorted { $0.digest < $1.digest }[...]
        while !rest.isEmpty {
            var count = 0
            var bytes: Int64 = 0
            while count < min(rest.count, Self.batch.count), bytes < Self.batch.bytes {
                bytes += rest[rest.startIndex + count].size
                count += 1
            }
            try await copy(rest.prefix(count), progress)
            rest = rest.dropFirst(count)
        }
        return contents.filter { !isOurs($0) }
    }

    private func copy(
        _ contents: ArraySlice<ContentID>, _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        let batch = try ContentBatch(target)
        let slices = stride(from: contents.startIndex, to: contents.endIndex, by: Self.slice).map {
            contents[$0..<min($0 + Self.slice, contents.endIndex)]
        }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (i, slice) in slices.enumerated() {
                    if i >= Self.width { try await group.next() }
                    group.addTask { try copy(slice, into: batch, progress) }
                }
                try await group.waitForAll()
            }
        } catch {
            // What has come whole is kept.
            try? batch.place(isDurable: isDurable)
            throw error
        }
        try batch.place(isDurable: isDurable)
    }

    private func failure(_ content: ContentID) -> StorageFailure {
        let place = direction == .upload ? source.root.string : address
        guard let size = Files.status(source.path(of: content.digest))?.size else {
            return .missing(content.digest, remote: place)
        }
        return .wrongSize(content.digest, said: content.size, size: size, place: place)
    }

    private func copy(
        _ contents: ArraySlice<ContentID>, into batch: ContentBatch, _ progress: (Int64) -> Void
    ) throws {
        for content in contents {
            try Task.checkCancellation()
            guard source.contains(content.digest, size: content.size) else { throw failure(content) }
            do { try batch.copy(content, from: source.path(of: content.digest)) } catch StorageFailure.damaged(
                let digest, _) where direction == .download
            {
                throw StorageFailure.damaged(digest, place: address)
            }
            progress(content.size)
        }
    }
}

extension ContentBatch {
    /// Takes in a copy of a file whose content is known; other bytes never get in.
    func copy(_ content: ContentID, from file: FilePath) throws {
        do {
            let source = try FileDescriptor.open(file, .readOnly, options: .closeOnExec)
            try source.closeAfter { _ = try take(source, path: file, size: content.size, expected: content) }
        } catch let errno as Errno {
            throw FileFailure("read", file, errno)
        } catch StorageFailure.changing {
            // It is longer than it should be.
            throw StorageFailure.damaged(content.digest, place: file.string)
        }
    }
}
