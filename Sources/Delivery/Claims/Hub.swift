internal import Base
public import GitKit
internal import SystemPackage

/// Where the runners of one repository meet: the repository itself, or the remote that it was cloned from.
public struct Hub: Sendable {
    /// How long one exchange with the remote may take, tries after others were faster included.
    private static let patience: Duration = .seconds(30)

    let repository: Repository
    /// nil: the repository itself is the place.
    let remote: String?

    /// A bare repository is the place itself, unless it is a runner's ``Mirror``; a clone's is its remote.
    init(_ repository: Repository) throws {
        self.repository = repository
        let remotes = try repository.remotes()
        let isPlace = try repository.workTree == nil && !Mirror.isMirror(repository)
        remote = isPlace ? nil : remotes.contains("origin") ? "origin" : remotes.first
    }

    /// What object remotes take for the git remote: its name, or the repository's own folder.
    var gitRemote: String { remote ?? repository.commonDirectory.string }

    /// Brings branches, tags and our notes from the remote.
    func bring() async throws {
        guard let remote else { return try NotesSync(repository).mergeFetched() }
        try NotesSync(repository).mergeFetched()
        let options = ["--quiet", "--prune", "--no-auto-maintenance", "--no-write-fetch-head", "--no-tags"]
        var specs = NotesSync.fetchSpecs(remote)
        if try Mirror.isMirror(repository) {
            specs += ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
            try await followHead(remote)
        } else {
            specs += ["+refs/heads/*:refs/remotes/\(remote)/*"]
        }
        try await repository.git.fetch(options + [remote] + specs)
        if repository.workTree != nil {
            try await Self.learnDefaultBranch(of: remote, in: repository)
            // A clone's own tags stay; only what is new comes.
            try await repository.git.fetch(
                ["--quiet", "--no-auto-maintenance", "--no-write-fetch-head", remote, "refs/tags/*:refs/tags/*"])
        }
        try NotesSync(repository).mergeFetched(isThorough: true)
    }

    /// Asks the remote which branch is the protected one, where this clone does not know; it may not tell.
    public static func learnDefaultBranch(of remote: String, in repository: Repository) async throws {
        guard try repository.ref("refs/remotes/\(remote)/HEAD") == nil else { return }
        _ = try await repository.git.attempt(["remote", "set-head", remote, "--auto"])
    }

    /// A mirror's HEAD is the remote's: it names the protected branch.
    private func followHead(_ remote: String) async throws {
        let answer = try await repository.git("ls-remote", "--symref", "--end-of-options", remote, "HEAD")
        guard let line = answer.split(separator: "\n").first(where: { $0.hasPrefix("ref: ") }),
            let branch = line.dropFirst(5).split(separator: "\t").first,
            try repository.headBranch() != String(branch)
        else { return }
        try await repository.git("symbolic-ref", "HEAD", String(branch))
    }

    /// What a ref is at the place.
    func value(of ref: String) async throws -> ObjectID? {
        guard let remote else { return try repository.ref(ref) }
        return try await list(remote, [ref])[ref]
    }

    /// The refs below a prefix at the place.
    func values(below prefix: String) async throws -> [String: ObjectID] {
        guard let remote else {
            return Dictionary(try repository.refs(below: prefix).map { ($0.name, $0.target) }) { $1 }
        }
        return try await list(remote, [prefix + "*"])
    }

    private func list(_ remote: String, _ patterns: [String]) async throws -> [String: ObjectID] {
        let answer = try await repository.git.run(["ls-remote", "--refs", "--end-of-options", remote] + patterns)
        var refs: [String: ObjectID] = [:]
        for line in answer.split(separator: "\n") {
            let fields = line.split(separator: "\t")
            if fields.count == 2, let id = ObjectID(fields[0]) { refs[String(fields[1])] = id }
        }
        return refs
    }

    /// The message of a commit at the place, brought when it is not here; nil when it has gone meanwhile.
    func message(of commit: ObjectID, at ref: String) async throws -> String? {
        if let remote, try repository.header(commit) == nil {
            let result = try await repository.git.attempt([
                "fetch", "--quiet", "--no-tags", "--no-auto-maintenance", "--no-write-fetch-head", "--end-of-options",
                remote, ref,
            ])
            guard result.status == 0, try repository.header(commit) != nil else { return nil }
        }
        return try repository.commit(commit).message
    }

    /// Moves a ref at the place from exactly `old` to `new`, nil standing for “not there”; false when it held something else.
    ///
    /// `events` says whether our delivery notes, and the list of logs, go along: they arrive only if the ref moves.
    func swap(_ ref: String, from old: ObjectID?, to new: ObjectID?, events: Bool) async throws -> Bool {
        guard let remote else { return try await swapHere(ref, from: old, to: new) }
        let deadline = ContinuousClock.now + Self.patience
        while true {
            var specs = [(new?.hex ?? "") + ":" + ref]
            if events {
                for own in ["refs/notes/ml/deliveries", "refs/ml/objects"] where try repository.ref(own) != nil {
                    specs.append("\(own):\(own)")
                }
            }
            let lease = "--force-with-lease=\(ref):\(old?.hex ?? "")"
            let words = ["push", "--porcelain", "--quiet", "--no-verify", "--no-recurse-submodules", "--atomic", lease]
            let result = try await repository.git.attempt(words + [remote] + specs)
            if result.status == 0 { return true }
            // The answer may have been lost, or a note may have been in the way: what the ref is now decides.
            let now: ObjectID?
            do { now = try await value(of: ref) } catch {
                guard ContinuousClock.now < deadline else { throw error }
                try await Task.sleep(for: .milliseconds(500))
                continue
            }
            if now == new { return true }
            if now != old { return false }
            guard events, ContinuousClock.now < deadline else {
                throw HubFailure(ref: ref, remote: remote, words: result.errors + result.text)
            }
            try await NotesSync(repository).fetch(remote)
            try await Task.sleep(for: .milliseconds(Int.random(in: 10...200)))
        }
    }

    private func swapHere(_ ref: String, from old: ObjectID?, to new: ObjectID?) async throws -> Bool {
        do {
            if let new {
                try repository.update(ref, from: old, to: new, reason: "git-ml runner")
                return true
            }
            guard let old else { return true }
            let result = try await repository.git.attempt(["update-ref", "-d", ref, old.hex])
            return try result.status == 0 || repository.ref(ref) == nil
        } catch GitFailure.moved {
            return false
        }
    }
}

/// A remote that did not take a claim, though nobody else holds it.
struct HubFailure: Failure {
    let ref: String
    let remote: String
    let words: String
    var kind: FailureKind { .remote }
    var description: String {
        let lines = words.split(separator: "\n").filter { !$0.hasPrefix("hint:") && !$0.hasPrefix("To ") }
        return "\(remote) did not take \(ref): " + lines.prefix(4).joined(separator: "; ")
    }
    var hints: [String] { ["a runner needs the right to push refs/ml/* and refs/notes/ml/*"] }
}
