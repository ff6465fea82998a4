internal import Base
public import GitKit
internal import SystemPackage

/// Records the commits that HEAD's reflog tells of since the last look: those that a hook was to record just now, and those
/// whose hook was killed or never ran.
public struct CatchUp: Sendable {
    /// What came of it.
    public struct Outcome: Sendable {
        /// Commits that were looked at, oldest first.
        public var commits: [ObjectID] = []
        /// How many of them are new runs, or hold the results of one.
        public var recorded = 0
        /// How many runs of other tools were taken in.
        public var found = 0
        public var warnings: [String] = []
    }

    /// Without a mark (a cache that was deleted) so many lines are looked at.
    private static let span = 100

    private let repository: Repository
    private let recorder: CommitRecorder

    public init(_ repository: Repository, _ recorder: CommitRecorder) {
        self.repository = repository
        self.recorder = recorder
    }

    /// Looks at what is new; `isHook` says that the newest commit was made a moment ago.
    ///
    /// A hook also takes in what other tools have left in the work tree; what it has no time for, the next command does.
    public func run(isHook: Bool = false) throws -> Outcome {
        var outcome = try lookAtCommits(isHook: isHook)
        let hasWaiting = Files.exists(waitingFile)
        guard isHook || hasWaiting, let head = try repository.head() else { return outcome }
        let found = try recorder.recordFound(on: head, limits: isHook ? .hook : .none)
        outcome.warnings += found.warnings
        outcome.found = found.recorded
        if found.waiting > 0 {
            if !hasWaiting { try Files.replace(waitingFile, with: []) }
        } else if hasWaiting {
            Files.remove(waitingFile)
        }
        return outcome
    }

    /// Stands where runs that were found wait for a command with more time than a hook.
    private var waitingFile: FilePath { repository.mlDirectory.appending("cache").appending("found-waiting") }

    private func lookAtCommits(isHook: Bool) throws -> Outcome {
        var outcome = Outcome()
        let log = repository.gitDirectory.appending("logs").appending("HEAD")
        guard let size = Files.status(log)?.size else {
            // Without a reflog there is only HEAD to look at.
            if isHook, let head = try repository.head() { try record(head, nil, isLate: false, &outcome) }
            return outcome
        }
        let mark = try Mark(Files.readText(markFile) ?? "")
        if mark?.size == size { return outcome }
        let lines = try Self.lines(log, from: mark, size: size)
        let entries = lines.compactMap { ReflogEntry($0) }.filter(\.isOwnCommit)
        for (i, entry) in entries.enumerated() where try repository.header(entry.new) != nil {
            let isNewest = isHook && i == entries.count - 1
            try record(entry.new, entry.isAmend ? entry.old : nil, isLate: !isNewest, &outcome)
        }
        try remember(size, lines.last.flatMap { ReflogEntry($0)?.new })
        return outcome
    }

    /// Lets only what comes from now on be looked at, where nothing was yet: `git ml init` in a repository with a history.
    public func begin() throws {
        if Files.exists(markFile) { return }
        let size = Files.status(repository.gitDirectory.appending("logs").appending("HEAD"))?.size ?? 0
        try remember(size, repository.head())
    }

    private func remember(_ size: Int64, _ last: ObjectID?) throws {
        // Without it the last lines are looked at once more, and what is recorded already is not recorded again.
        try Files.replace(markFile, with: "\(size) \(last?.hex ?? "-")\n".utf8, isDurable: false)
    }

    /// How far the reflog has been looked at, in bytes: one file a work tree.
    private var markFile: FilePath {
        let tree = Digest.of(repository.gitDirectory.string).hex.prefix(16)
        return repository.mlDirectory.appending("cache").appending("reflog-\(tree)")
    }

    private func record(_ commit: ObjectID, _ replaced: ObjectID?, isLate: Bool, _ outcome: inout Outcome) throws {
        let one = try recorder.record(commit, replacing: replaced, isLate: isLate)
        outcome.commits.append(commit)
        outcome.warnings += one.warnings
        if one.run != nil || one.linked != nil { outcome.recorded += 1 }
    }

    /// How far a reflog has been looked at.
    private struct Mark {
        let size: Int64
        /// The commit of the last line before: `git gc` shortens reflogs, and then the size alone means nothing.
        let last: Substring

        init?(_ text: String) {
            let words = text.split { $0.isWhitespace }
            guard words.count == 2, let size = Int64(words[0]) else { return nil }
            (self.size, last) = (size, words[1])
        }
    }

    /// The lines behind a mark, without one that a crash has cut; the last ones where there is no mark that holds.
    ///
    /// A reflog may have many megabytes: only its end is read.
    private static func lines(_ log: FilePath, from mark: Mark?, size: Int64) throws -> [Substring] {
        let isNear = mark.map { $0.size <= size } ?? false
        let start = max(0, (isNear ? mark?.size ?? size : size) - 64 << 10)
        let bytes = try Files.read(log, from: start)
        let seen = isNear ? Int((mark?.size ?? 0) - start) : 0
        let end = bytes[..<seen].lastIndex { $0 != 0x0a } ?? 0
        let begin = bytes[..<end].lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        let before = ReflogEntry(String(decoding: bytes[begin..<max(begin, min(seen, end + 1))], as: UTF8.self)[...])
        if let mark, isNear, mark.size == 0 || before?.new.hex[...] == mark.last {
            return text(bytes[seen...].split(separator: 0x0a))
        }
        return text(bytes.split(separator: 0x0a).suffix(span))
    }

    private static func text(_ lines: some Sequence<ArraySlice<UInt8>>) -> [Substring] {
        lines.map { String(decoding: $0, as: UTF8.self)[...] }
    }
}

/// A line of a reflog: `old new name <email> time zone TAB message`.
struct ReflogEntry {
    let old: ObjectID
    let new: ObjectID
    private let message: Substring

    init?(_ line: Substring) {
        let ids = line.split(separator: " ", maxSplits: 2).prefix(2).compactMap { ObjectID($0) }
        guard ids.count == 2, let tab = line.firstIndex(of: "\t") else { return nil }
        (old, new) = (ids[0], ids[1])
        message = line[line.index(after: tab)...]
    }

    var isAmend: Bool { message.hasPrefix("commit (amend)") }

    /// Whether a new commit came of it that git did not make out of old ones on its own: not a rebase, checkout or reset.
    var isOwnCommit: Bool {
        ["commit", "cherry-pick", "revert", "am"].contains { word in
            message.hasPrefix(word + ":") || message.hasPrefix(word + " (")
        }
    }
}
