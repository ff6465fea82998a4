public import Base
internal import SystemPackage

/// Carries our refs between a clone and its remotes.
///
/// What a remote has is fetched to `refs/notes/ml-remotes/<remote>/…` and `refs/ml/remotes/<remote>/…`; reading commands
/// unite it with our own. Pushing unites first, so that nobody's lines are ever lost.
public struct NotesSync: Sendable {
    public static let kinds = ["runs", "deliveries", "registry", "purged"]
    /// How long a push of our refs may take, tries after others were faster included.
    public static let patience: Duration = .seconds(10)

    static let notesPrefix = "refs/notes/ml-remotes/"
    static let otherPrefix = "refs/ml/remotes/"
    private static let others = ["snapshots", "objects"]

    let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// The refspecs that bring a remote's refs of ours along with every `git fetch`.
    public static func fetchSpecs(_ remote: String) -> [String] {
        ["+refs/notes/ml/*:\(notesPrefix)\(remote)/*"]
            + others.map { "+refs/ml/\($0)*:\(otherPrefix)\(remote)/\($0)*" }
    }

    /// Whether a refspec is one of ours, for whatever remote.
    public static func isFetchSpec(_ spec: String) -> Bool {
        spec.contains(":\(notesPrefix)") || spec.contains(":\(otherPrefix)")
    }

    /// Our own ref and where a remote's is kept here.
    private static func pairs(_ remote: String) -> [(own: String, fetched: String)] {
        kinds.map { ("refs/notes/ml/\($0)", "\(notesPrefix)\(remote)/\($0)") }
            + others.map { ("refs/ml/\($0)", "\(otherPrefix)\(remote)/\($0)") }
    }
}

// MARK: - Uniting

extension NotesSync {
    /// Unites what was fetched with our own; cheap when nothing is new.
    ///
    /// `isThorough` looks for lost lines also where our history holds the fetched commit already.
    public func mergeFetched(isThorough: Bool = false) throws {
        let notes = try repository.refs(below: Self.notesPrefix)
        for ref in notes where ref.name.hasSuffix("/purged") {
            try Notes(PurgedRuns.ref, in: repository).merge(ref.target)
        }
        try dropPurged()
        var marks = try MergeMarks(repository)
        for ref in try notes + repository.refs(below: Self.otherPrefix) {
            guard let own = Self.ownRef(of: ref.name), own != PurgedRuns.ref else { continue }
            if try repository.ref(own) == ref.target { continue }
            if try !isThorough && marks.isMerged(ref, into: own) { continue }
            switch own {
            case KeptCommits.ref: try KeptCommits(repository).merge(ref.target)
            case ContentList.ref: try ContentList(repository).merge(ref.target)
            default: try Notes(own, in: repository).merge(ref.target, isThorough: isThorough)
            }
            try marks.set(ref, own)
        }
        try marks.save()
    }

    /// Takes purged runs out of our notes, once for each state of the list.
    public func dropPurged() throws {
        guard let head = try repository.ref(PurgedRuns.ref) else { return }
        let mark = repository.mlDirectory.appending("purged")
        if try Files.readText(mark) == head.hex + "\n" { return }
        let purged = try PurgedRuns(repository, at: head)
        for kind in ["runs", "registry"] { try Notes("refs/notes/ml/\(kind)", in: repository).drop(purged) }
        try ContentList(repository).remove(purged.contents)
        try KeptCommits(repository).drop(purged.code)
        // git remembers where a ref stood before: that must not keep the runs either.
        for ref in try repository.refs(below: Self.notesPrefix).map(\.name) + [
            "refs/notes/ml/runs", "refs/notes/ml/registry",
        ] {
            Files.remove(repository.commonDirectory.appending("logs").appending(FilePath(ref).components))
        }
        try Files.replace(mark, with: (head.hex + "\n").utf8)
    }

    private static func ownRef(of fetched: String) -> String? {
        guard let last = fetched.split(separator: "/").last.map(String.init) else { return nil }
        if fetched.hasPrefix(notesPrefix), kinds.contains(last) { return "refs/notes/ml/\(last)" }
        if fetched.hasPrefix(otherPrefix), others.contains(last) { return "refs/ml/\(last)" }
        return nil
    }

    /// Fetches what a remote has of ours and unites it with our own.
    public func fetch(_ remote: String) async throws {
        // What was fetched before may be gone at the remote: it is taken in before it is pruned here.
        try mergeFetched(isThorough: true)
        let options = ["--quiet", "--no-tags", "--no-auto-maintenance", "--no-write-fetch-head", "--prune"]
        try await repository.git.fetch(options + [remote] + Self.fetchSpecs(remote))
        try mergeFetched(isThorough: true)
    }

    /// Drops what was fetched from remotes that are not there any more, once it has been united with our own.
    public func dropGoneRemotes() async throws {
        let remotes = try repository.remotes()
        let refs = try (repository.refs(below: Self.notesPrefix) + repository.refs(below: Self.otherPrefix)).filter {
            ref in
            guard Self.ownRef(of: ref.name) != nil else { return false }
            let name = ref.name.dropFirst(
                (ref.name.hasPrefix(Self.notesPrefix) ? Self.notesPrefix : Self.otherPrefix).count)
            return !remotes.contains { name.hasPrefix($0 + "/") }
        }
        if refs.isEmpty { return }
        try mergeFetched(isThorough: true)
        let lines = refs.map { "delete \($0.name) \($0.target)\n" }.joined()
        try await repository.git("update-ref", "--stdin", input: Array(lines.utf8))
    }
}

// MARK: - Sending

extension NotesSync {
    /// Sends our refs, and tries again for ten seconds when somebody else was faster.
    ///
    /// Returns whether anything was sent. What could not be sent stays here and goes with the next push.
    @discardableResult
    public func push(_ remote: String) async throws -> Bool {
        let clock = ContinuousClock()
        let deadline = clock.now + Self.patience
        var hasSent = false
        while true {
            try await fetch(remote)
            do {
                // A server takes a rewritten ref only when it knows what was purged.
                let purged = try await send([PurgedRuns.ref], to: remote)
                let others = try await send(Self.pairs(remote).map(\.own).filter { $0 != PurgedRuns.ref }, to: remote)
                return hasSent || purged || others
            } catch let refusal as PushRefusal where refusal.isRace && clock.now < deadline {
                hasSent = try hasSent || repository.ref(PurgedRuns.ref) != nil
                try await Task.sleep(for: .milliseconds(Int.random(in: 10...150)))
            }
        }
    }

    /// Sends those of our refs that differ from what was fetched, all or none.
    private func send(_ refs: [String], to remote: String) async throws -> Bool {
        var specs: [String] = []
        var leases: [String] = []
        for (own, fetched) in Self.pairs(remote) where refs.contains(own) {
            guard let head = try repository.ref(own) else { continue }
            let theirs = try repository.ref(fetched)
            if head == theirs { continue }
            specs.append("\(own):\(own)")
            // Ours was rewritten after a purge: theirs may be replaced, but only what was looked at.
            if let theirs, try !repository.isAncestor(theirs, of: head) {
                leases.append("--force-with-lease=\(own):\(theirs)")
            }
        }
        if specs.isEmpty { return false }
        var options = ["push", "--porcelain", "--no-verify", "--no-recurse-submodules", "--atomic"] + leases
        var result = try await repository.git.attempt(options + [remote] + specs)
        if result.status != 0, result.errors.contains("does not support --atomic") {
            options.removeAll { $0 == "--atomic" }
            result = try await repository.git.attempt(options + [remote] + specs)
        }
        if result.status != 0 { throw PushRefusal(remote: remote, result) }
        return true
    }
}

/// A remote that did not take our refs.
public struct PushRefusal: Failure {
    public let remote: String
    /// The refs that were refused, and why.
    public let refused: [(ref: String, reason: String)]
    private let words: String

    init(remote: String, _ result: ProcessResult) {
        self.remote = remote
        refused = result.text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: "\t")
            guard fields.count == 3, fields[0].hasPrefix("!"), !fields[2].contains("atomic push") else { return nil }
            return (String(fields[1].split(separator: ":").last ?? fields[1]), String(fields[2]))
        }
        words = result.errors.split(separator: "\n")
            .filter { !$0.hasPrefix("error: failed to push") && !$0.hasPrefix("hint:") && !$0.hasPrefix("To ") }
            .map { $0.trimmingCharacters() }.filter { !$0.isEmpty }.prefix(4).joined(separator: "; ")
    }

    /// Whether somebody else was faster, so that another try can succeed.
    var isRace: Bool {
        let marks = [
            "fetch first", "non-fast-forward", "stale info", "cannot lock ref", "failed to update ref",
            "incorrect old value", "reference already exists", "failed to lock",
        ]
        // With --atomic the server names the reason only in its own words.
        return refused.contains { refusal in marks.contains { refusal.reason.contains($0) } }
            || !refused.contains { $0.reason.contains("declined") } && marks.contains { words.contains($0) }
    }

    public var kind: FailureKind { .remote }
    public var description: String {
        let refs = refused.map { "\($0.ref) \($0.reason)" }.joined(separator: ", ")
        return "\(remote) did not take \(refs.isEmpty ? "refs/notes/ml/* and refs/ml/*" : refs)"
            + (words.isEmpty ? "" : ": \(words)")
    }
    public var hints: [String] {
        [
            "nothing is lost: the runs stay in this clone, and the next push sends them",
            "whoever runs the server has to allow pushes to refs/notes/ml/* and refs/ml/*",
        ]
    }
}

extension Substring {
    fileprivate func trimmingCharacters() -> String { String(drop { $0.isWhitespace }).trimmingTrailingSpace }
}

/// What was united last: so that a reading command need not walk history to see that nothing is new.
private struct MergeMarks {
    private let repository: Repository
    private let file: FilePath
    private var marks: [String: (theirs: ObjectID, own: ObjectID)] = [:]
    private var hasChanged = false

    init(_ repository: Repository) throws {
        self.repository = repository
        file = repository.mlDirectory.appending("merged")
        for line in try Files.readText(file)?.split(separator: "\n") ?? [] {
            let words = line.split(separator: " ")
            guard words.count == 3, let theirs = ObjectID(words[1]), let own = ObjectID(words[2]) else { continue }
            marks[String(words[0])] = (theirs, own)
        }
    }

    /// Whether ours has grown out of what it was when the same fetched commit was united with it.
    func isMerged(_ fetched: Ref, into own: String) throws -> Bool {
        guard let mark = marks[fetched.name], mark.theirs == fetched.target, let now = try repository.ref(own) else {
            return false
        }
        return try now == mark.own || (repository.header(mark.own) != nil && repository.isAncestor(mark.own, of: now))
    }

    mutating func set(_ fetched: Ref, _ own: String) throws {
        guard let now = try repository.ref(own) else { return }
        marks[fetched.name] = (fetched.target, now)
        hasChanged = true
    }

    func save() throws {
        if !hasChanged { return }
        let lines = marks.map { "\($0.key) \($0.value.theirs) \($0.value.own)\n" }.sorted().joined()
        try Files.replace(file, with: lines.utf8)
    }
}
