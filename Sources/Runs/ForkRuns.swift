internal import Base
public import GitKit
internal import Pointers
internal import Storage
internal import SystemPackage

/// An address as it may be shown and stored.
public enum RemoteAddress {
    /// The address without user name, password and token.
    public static func shown(_ url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return url }
        let rest = url[scheme.upperBound...]
        let host = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let path = rest[host.endIndex...].prefix { $0 != "?" && $0 != "#" }
        let clean = host.split(separator: "@", omittingEmptySubsequences: false).last ?? host
        return String(url[..<scheme.upperBound] + clean + path)
    }
}

/// Brings in a fork's runs on the commits that were taken over from it.
public struct ForkRuns: Sendable {
    /// The tag that says where a run was recorded.
    public static let originTag = "git-ml.origin"

    private let repository: Repository
    private let url: String
    private let log: RunLog

    public init(_ repository: Repository, url: String) {
        self.repository = repository
        self.url = url
        log = RunLog(repository)
    }

    /// Brings what is new and returns how many runs that were; a second call changes nothing.
    ///
    /// Runs on commits that a branch here reaches come, and those linked to them whose own code (a snapshot of a dirty
    /// tree) is not part of any branch; that code is kept too, and contents that the runs name, where they can be read.
    public func bring(say: (String) -> Void) async throws -> Int {
        let prefix = "refs/ml/from/\(Digest.of(RemoteAddress.shown(url)).hex.prefix(12))/"
        let specs = [
            "+refs/notes/ml/runs*:\(prefix)runs*", "+refs/ml/snapshots*:\(prefix)snapshots*",
            "+refs/ml/objects*:\(prefix)objects*",
        ]
        let options = ["--quiet", "--no-tags", "--no-auto-maintenance", "--no-write-fetch-head", "--prune"]
        try await repository.git.run(["fetch"] + options + ["--end-of-options", url] + specs)
        guard let theirs = try repository.ref(prefix + "runs") else { return 0 }

        let wanted = try await wanted(theirs)
        var lines: [ObjectID: [String]] = [:]
        var count = 0
        for (object, new) in wanted {
            let own = Set(try log.lines(on: object))
            let known = Set(own.compactMap(Self.run))
            let fresh = new.filter { !own.contains($0) }
            if fresh.isEmpty { continue }
            lines[object] = fresh
            for (run, lines_) in Dictionary(grouping: fresh, by: { Self.run($0) ?? "" }) where !known.contains(run) {
                guard let last = lines_.compactMap(Self.time).max(), let id = UUIDv7(run) else { continue }
                var events = RunEvents(run: id, at: Timestamp(microseconds: last.microseconds + 1))
                events.tags([Self.originTag: RemoteAddress.shown(url)])
                lines[object, default: []] += events.lines
                count += 1
            }
        }
        if lines.isEmpty { return 0 }
        try await bringContent(of: lines.values.flatMap { $0 }, list: repository.ref(prefix + "objects"), say)
        try KeptCommits(repository).keep(
            try await unreachable(Array(lines.keys)).filter { try repository.header($0)?.kind == .commit })
        try log.add(lines, message: "runs: from \(RemoteAddress.shown(url))")
        return count
    }

    /// Their notes that differ from ours and that are wanted: object to lines.
    private func wanted(_ theirs: ObjectID) async throws -> [ObjectID: [String]] {
        var notes: [ObjectID: [String]] = [:]
        let purged = try PurgedRuns(repository)
        try log.notes.changes(from: repository.ref(RunLog.ref), to: theirs) { object, _, blob in
            guard let blob else { return }
            notes[object] = String(decoding: try repository.blob(blob), as: UTF8.self).split(separator: "\n")
                .map(String.init).filter { Self.run($0).map { !purged.runs.contains($0) } ?? false }
        }
        let present = try notes.keys.filter { try repository.header($0)?.kind == .commit }
        let unreachable = Set(try await unreachable(present))
        let reachable = Set(present).subtracting(unreachable)
        let runs = Set(reachable.flatMap { notes[$0] ?? [] }.compactMap(Self.run))
        return try notes.compactMapValues { $0.isEmpty ? nil : $0 }.filter { object, lines in
            if reachable.contains(object) { return true }
            guard unreachable.contains(object) else { return false }
            let parents = try repository.commit(object).parents
            let isBatch =
                try repository.commit(object).message.hasPrefix("git-ml batch ")
                && parents.allSatisfy(reachable.contains)
            return isBatch || lines.contains { Self.run($0).map(runs.contains) ?? false }
        }
    }

    /// Those commits that no branch of ours reaches.
    private func unreachable(_ commits: [ObjectID]) async throws -> [ObjectID] {
        let branches = try ["refs/heads/", "refs/remotes/"].flatMap { try repository.refs(below: $0) }.map(\.target)
        let input = (commits.map(\.hex) + branches.map { "^\($0)" }).joined(separator: "\n") + "\n"
        let list = try await repository.git.run(
            ["rev-list", "--ignore-missing", "--stdin"], input: Array(input.utf8))
        let found = Set(list.split(separator: "\n").compactMap { ObjectID($0) })
        return commits.filter(found.contains)
    }

    private func bringContent(of lines: [String], list: ObjectID?, _ say: (String) -> Void) async throws {
        guard let list else { return }
        let kept = KeptObjects(repository)
        let wanted = Set(lines.flatMap(RunContents.named)).filter { !Files.exists(kept.store.path(of: $0)) }
        var missing = 0
        for digest in wanted.sorted() {
            guard let text = try repository.file(ContentList.path(digest.hex), in: list),
                let pointer = try? Pointer.parse(text, path: digest.hex)
            else { continue }
            do {
                let remote = try DataSettings.objectRemote(ofForkAt: url, from: repository)
                try await kept.take(ContentID(digest, size: pointer.size), from: remote)
            } catch {
                if missing == 0 { say("curves and logs of the fork's runs cannot be read: \(error)") }
                missing += 1
            }
        }
    }

    private static func run(_ line: String) -> String? { (try? JSON.parse(line))?["run"]?.string }
    private static func time(_ line: String) -> Timestamp? {
        (try? JSON.parse(line))?["t"]?.string.flatMap { Timestamp($0) }
    }
}

/// The contents that an event line names.
enum RunContents {
    /// The digests in `oid` of a series, and of items.
    static func named(_ line: String) -> [Digest] {
        guard let json = try? JSON.parse(line) else { return [] }
        let items = json["items"]?.array?.compactMap { $0["oid"]?.string } ?? []
        return ([json["oid"]?.string].compactMap { $0 } + items).compactMap { Digest($0) }
    }
}
