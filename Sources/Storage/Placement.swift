internal import Base
internal import Synchronization
internal import SystemPackage

/// Gives verified downloads their final names, many after one flush: flushing each costs more than bringing a small one.
///
/// A power cut may take the newest names away, never leave one whose bytes are not there.
final class Placement: Sendable {
    private static let most = 64

    private let store: ContentStore
    private let waiting = Mutex<[(part: PartialFile, target: FilePath)]>([])

    init(_ store: ContentStore) { self.store = store }

    func add(_ part: PartialFile, at target: FilePath) throws {
        let isFull = waiting.withLock { waiting in
            waiting.append((part, target))
            return waiting.count >= Self.most
        }
        if isFull { try flush() }
    }

    func flush() throws {
        let parts = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        guard let first = parts.first else { return }
        if parts.count < 4 || !Files.flushFileSystem(of: first.part.path) {
            for part in parts { try part.part.flush() }
        }
        for (part, target) in parts {
            try store.makeDirectory(target.removingLastComponent())
            store.share(part.path, 0o060)
            try Files.rename(part.path, to: target)
        }
    }
}
