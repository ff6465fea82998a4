internal import Base
internal import GitKit
internal import Pointers
internal import Storage

/// Looks before a push whether somebody else has locked a file that it changes, as git-lfs does.
struct LockCheck {
    private let repository: Repository
    private let remote: String
    private let branch: String?

    init(_ repository: Repository, remote: String, branch: String?) {
        self.repository = repository
        self.remote = remote
        self.branch = branch
    }

    /// Stops the push where `lfs.<url>.locksverify` is true; says so where it is not set; false: nothing is asked.
    ///
    /// `carriesData` is whether pointers are pushed to that server: without that nobody is asked unless the setting says so.
    func run(new: [ObjectID], old: [ObjectID], carriesData: Bool, say: (String) -> Void) async throws {
        let settings = try repository.lfsSettings()
        let context = try repository.lfsContext(remote: remote, ref: branch, settings: settings)
        guard case .server(let address, _, _)? = context.endpoint(for: .upload) else { return }
        let isOn = settings.locksVerify(address)
        guard isOn ?? carriesData else { return }
        let locks: (ours: [LFSLock], theirs: [LFSLock])
        do {
            locks = try await LFSLocks(context).verify()
        } catch let failure as LFSLockFailure {
            if isOn == true { throw failure }
            // The next push need not ask again.
            _ = try? await repository.git.run(["config", "--local", "lfs.\(address).locksverify", "false"])
            return
        } catch {
            if isOn == true { throw error }
            return say("the locks could not be looked at: \(error)")
        }
        if locks.ours.isEmpty, locks.theirs.isEmpty { return }
        let changed = try await changed(new, old)
        let taken = locks.theirs.filter { changed.contains($0.path) }
        if !taken.isEmpty {
            let failure = LockedFiles(locks: taken)
            if isOn == true { throw failure }
            say("\(failure); the push goes on, because lfs.\(address).locksverify is not set")
        }
        let own = locks.ours.filter { changed.contains($0.path) }.map { Terminal.safe($0.path) }
        if !own.isEmpty {
            say("locked by you, and pushed: \(own.joined(separator: ", ")); `git ml unlock` gives them free")
        }
    }

    private func changed(_ new: [ObjectID], _ old: [ObjectID]) async throws -> Set<String> {
        let input = (new.map(\.hex) + old.map { "^\($0)" }).joined(separator: "\n") + "\n"
        let list = try await repository.git.run(
            ["rev-list", "--objects", "--ignore-missing", "--stdin"], input: Array(input.utf8))
        return Set(
            list.split(separator: "\n").compactMap { line in
                line.firstIndex(of: " ").map { String(line[line.index(after: $0)...]) }
            })
    }
}

/// Files that a push changes and others have locked.
struct LockedFiles: Failure {
    let locks: [LFSLock]
    var kind: FailureKind { .user }
    var description: String {
        "locked by others: "
            + locks.map { Terminal.safe($0.path) + ($0.owner.map { " (\(Terminal.safe($0)))" } ?? "") }
            .joined(separator: ", ")
    }
    var hints: [String] { ["ask them to `git ml unlock`, or take it away with `git ml unlock --force PATH`"] }
}
