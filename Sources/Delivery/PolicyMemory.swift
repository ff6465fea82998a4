internal import Base
internal import GitKit
internal import SystemPackage

/// The newest policy commit that a runner has accepted: an older one is refused, so that nobody brings a laxer policy back by
/// moving the protected branch.
///
/// It is kept in the runner's state, and stands in the delivery events, where a runner without state finds it.
struct PolicyMemory {
    private let repository: Repository
    private let file: FilePath

    init(_ repository: Repository, state: FilePath) {
        self.repository = repository
        file = state.appending("policy")
    }

    /// Accepts a commit that is the remembered one or comes after it; nil means that it was accepted.
    func refusal(of commit: ObjectID) throws -> Refusal? {
        let newest = try newest()
        if let newest, try !repository.isAncestor(newest, of: commit) {
            return Refusal(
                "the policy at \(commit.short) does not come after the newest one accepted, \(newest.short): the protected"
                    + " branch was moved back; if that is right, run `git ml runner accept-policy \(commit.short)`",
                code: "policy-rewound", waits: true)
        }
        if newest != commit { try remember(commit) }
        return nil
    }

    /// Remembers a commit, whatever was remembered before.
    func remember(_ commit: ObjectID) throws { try Files.replace(file, with: (commit.hex + "\n").utf8) }

    private func newest() throws -> ObjectID? {
        if let text = try Files.readText(file), let id = ObjectID(text.trimmingTrailingSpace) { return id }
        return try DeliveryLog(repository).newestPolicy()
    }
}
