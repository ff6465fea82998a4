internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Storage
internal import SystemPackage

/// What a server wants to know of a push besides its tags.
struct ServerPush {
    private let repository: Repository
    private let updates: [RefUpdate]

    init(_ repository: Repository, _ updates: [RefUpdate]) {
        self.repository = repository
        self.updates = updates
    }

    /// The policy as the push leaves it.
    ///
    /// A new `ml.yaml` and what it allows may come together. The runner looks again, at what has come to be.
    func policy() -> (policy: Policy?, unreadable: (any Failure)?) {
        do {
            guard let branch = try repository.headBranch() else { return (try Policy.protected(repository), nil) }
            guard let update = updates.first(where: { $0.ref == branch }) else {
                return (try Policy.protected(repository), nil)
            }
            guard let commit = update.new else { return (nil, nil) }
            return (try Policy(at: commit, branch: Policy.shortName(branch), in: repository), nil)
        } catch let failure as any Failure {
            return (nil, Context("the policy of the protected branch cannot be read", cause: failure))
        } catch {
            return (nil, Context("the policy of the protected branch cannot be read", cause: error))
        }
    }

    /// What the runner will not like.
    func notices() throws -> [String] {
        guard let branch = try repository.headBranch(), let update = updates.first(where: { $0.ref == branch }),
            let old = update.old, let new = update.new, try !repository.isAncestor(old, of: new)
        else { return [] }
        return [
            "the protected branch \(Policy.shortName(branch)) does not hold its former commit \(old.short) any more: the"
                + " runner delivers nothing until somebody accepts that with `git ml runner accept-policy \(new.short)`"
        ]
    }

    /// How much the bytes behind pointers matter: `ml.checkData` in the server's git settings.
    private enum Strictness: String {
        /// What is missing is refused; a data remote that does not answer, or that this server cannot ask, is not waited for.
        case lenient
        /// A data remote that does not answer, or that cannot be asked, stops the push too.
        case strict
        case off
    }

    /// How long a data remote is waited for.
    private static let patience = Duration.seconds(10)

    /// Throws when pointers that are new name bytes that the data remote does not have.
    func checkData(_ policy: Policy?, say: (String) -> Void) async throws {
        let mode = try repository.setting("ml.checkData") ?? "lenient"
        guard let mode = Strictness(rawValue: mode) else {
            throw ServerSetting(key: "ml.checkData", value: mode, allowed: "lenient, strict or off")
        }
        let new = updates.filter { $0.ref.hasPrefix("refs/heads/") || $0.tag != nil }.compactMap(\.new)
        // A tag may be on a blob or a tree: that brings no history.
        let commits = mode == .off ? [] : new.compactMap { try? repository.resolve($0.hex) }
        if commits.isEmpty { return }
        let old = try repository.refs(below: "refs/heads/").map(\.target) + updates.compactMap(\.old)
        let named = try PushedData(repository).contents(new: commits, old: old)
        if named.isEmpty { return }
        let missing: [String]
        let remote: any ObjectRemote
        do {
            let data = policy?.project.data ?? DataSettings()
            for commit in commits where try isElsewhere(data, at: commit) {
                throw UnknownDataPlace(
                    "\(Project.fileName) of \(commit.short) names another data remote than the protected branch")
            }
            remote = try data.objectRemote(of: repository, gitRemote: repository.commonDirectory.string)
            // Nothing has ever been sent here: the bytes may be at a server of LFS objects that this one does not know.
            if let store = remote.localStore, !Files.exists(store.root) {
                throw UnknownDataPlace("this server does not know where the data is")
            }
            let datasets = try DatasetScan(repository).pointers(new: commits, old: old)
            missing = try await Self.missing(named, datasets, at: remote)
        } catch let failure as DatasetFailure {
            throw failure
        } catch {
            if mode == .strict { throw Context("the data of this push could not be looked for", cause: error) }
            return say("the data of this push could not be looked for: \(error)")
        }
        if missing.isEmpty { return }
        throw DataNotThere(paths: missing, remote: remote.address)
    }

    private func isElsewhere(_ data: DataSettings, at commit: ObjectID) throws -> Bool {
        guard let theirs = try? Project.at(commit, in: repository) else { return false }
        return theirs.data.remote != data.remote
    }

    /// The paths whose content is not at the remote; of a dataset also its packs are asked for, by what its manifest says.
    private static func missing(
        _ named: [ContentID: String], _ datasets: [DatasetPointer: String], at remote: any ObjectRemote
    ) async throws -> [String] {
        try await withThrowingTaskGroup(of: [String].self) { group in
            group.addTask {
                let present = try await remote.present(Array(named.keys), for: .download)
                let there = datasets.filter { present.contains($0.key.manifest) }
                let parts = try await DatasetTransfer.parts(of: there, at: remote)
                let found = parts.isEmpty ? [] : try await remote.present(Array(parts.keys), for: .download)
                let lost = named.filter { !present.contains($0.key) }.merging(
                    parts.filter { !found.contains($0.key) }
                ) { a, _ in a }
                return Set(lost.values).sorted()
            }
            group.addTask {
                try await Task.sleep(for: patience)
                throw NoAnswer(remote: remote.address)
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }
}

/// Why a server cannot ask for data.
struct UnknownDataPlace: Failure {
    let description: String
    var kind: FailureKind { .user }

    init(_ description: String) { self.description = description }
}

/// Pointers without their bytes.
struct DataNotThere: Failure {
    let paths: [String]
    let remote: String
    var kind: FailureKind { .user }
    var description: String {
        "the data of \(paths.count) file(s) is not at \(remote): "
            + paths.prefix(5).joined(separator: ", ") + (paths.count > 5 ? ", …" : "")
    }
    var hints: [String] { ["send it with `git ml push`, then push again without --no-verify"] }
}

/// A setting of the server that cannot be used.
struct ServerSetting: Failure {
    let key: String
    let value: String
    let allowed: String
    var kind: FailureKind { .user }
    var description: String { "the server's git setting \(key) is “\(value)”, and must be \(allowed)" }
}
