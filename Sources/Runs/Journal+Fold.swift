internal import Base
public import GitKit
internal import SystemPackage

/// What waits in the journal, ready for the notes.
public struct JournalBatch: Sendable {
    /// The event lines of each run, by the commit whose tree is its code.
    public var lines: [ObjectID: [String]] = [:]
    /// The runs, folded.
    public var runs: [Run] = []
    fileprivate var ids: [String] = []

    public var isEmpty: Bool { ids.isEmpty }
}

extension Journal {
    /// So many ended runs may wait before `git ml run` folds them in itself.
    public static let patience = 100

    /// The lock that whoever seals or folds holds.
    var lock: FilePath { root.appending("lock") }

    /// Folds every run that has ended into what `publish` writes, and forgets it here once that is done.
    ///
    /// `publish` is given the lines and must make them durable; it is called with an empty batch too. When it throws, or the
    /// machine stops, the runs stay here: the same lines added twice are one.
    public func fold<T>(_ publish: (JournalBatch) throws -> T) throws -> T {
        if !Files.exists(root) { return try publish(JournalBatch()) }
        return try FileLock.with(lock) {
            let batch = try ended()
            let result = try publish(batch)
            for run in batch.ids { Files.remove(file(of: run)) }
            return result
        }
    }

    /// How many runs wait that have ended.
    public func waiting() throws -> Int { try runs().count { !isGoingOn($0) } }

    private func ended() throws -> JournalBatch {
        var batch = JournalBatch()
        for name in try Files.list(root) {
            // A folder without its file: the machine stopped while the run began.
            if UUIDv7(name) != nil, !Files.exists(file(of: name)), !isGoingOn(name) {
                try Files.removeTree(root.appending(name))
            }
            guard name.hasSuffix(".jsonl"), case let run = String(name.dropLast(6)), !isGoingOn(run) else { continue }
            try seal(run)
            guard let lines = try lines(of: run) else { continue }
            guard let code = Self.code(lines) else { continue }
            batch.lines[code, default: []] += lines
            batch.runs += Run.fold(lines, on: code)
            batch.ids.append(run)
        }
        return batch
    }

    /// The commit that the start line names.
    static func code(_ lines: [String]) -> ObjectID? {
        lines.lazy.compactMap { (try? JSON.parse($0))?["code"]?.string.flatMap { ObjectID($0) } }.first
    }

    /// The runs that go on, with what they have logged so far.
    public func running() throws -> [Run] {
        try runs().filter { isGoingOn($0) }.compactMap { id in
            guard let lines = try lines(of: id), let code = Self.code(lines),
                var run = Run.fold(lines, on: code).first
            else { return nil }
            run.metrics.merge(try series(of: id).compactMapValues { MetricSummary($0) }) { $1 }
            return run
        }
    }
}
