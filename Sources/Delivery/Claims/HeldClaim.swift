internal import Base
internal import GitKit

/// Takes claims for one runner.
struct Claims: Sendable {
    let hub: Hub
    let holder: RunnerIdentity
    let sights: ClaimSights
    let lease: Double

    /// Takes the assignment of a tag, from nobody or from a runner whose lease has ended; nil: somebody else works at it.
    ///
    /// `above` is the highest fence that stands in the tag's events.
    func take(_ tag: String, above: Int) async throws -> HeldClaim? {
        let ref = Claim.ref(tag)
        let old = try await hub.value(of: ref)
        var fence = above + 1
        if let old {
            guard let before = try await claim(old, at: ref) else { return nil }
            guard try isFree(before, old) else { return nil }
            fence = max(fence, before.fence + 1)
        }
        let claim = Claim(tag: tag, holder: holder, fence: fence, lease: lease)
        let new = try HeldClaim.commit(claim, hub.repository)
        guard try await hub.swap(ref, from: old, to: new, events: false) else { return nil }
        return HeldClaim(claim, at: new, hub: hub)
    }

    /// The tags, of those that `isMeant` picks, that another runner works at.
    func others(_ isMeant: (String) -> Bool) async throws -> [String] {
        var tags: [String] = []
        for (ref, id) in try await hub.values(below: Claim.prefix) {
            guard let claim = try await claim(id, at: ref), isMeant(claim.tag), claim.holder != holder,
                try !isFree(claim, id)
            else { continue }
            tags.append(claim.tag)
        }
        return tags
    }

    private func claim(_ id: ObjectID, at ref: String) async throws -> Claim? {
        try await hub.message(of: id, at: ref).flatMap { Claim($0) }
    }

    private func isFree(_ claim: Claim, _ id: ObjectID) throws -> Bool {
        let age = try sights.age(of: id, at: claim.ref)
        return claim.holder.hasEnded(asSeenBy: holder) || age > claim.lease
    }
}

/// A claim that this runner holds, until somebody takes it away.
actor HeldClaim {
    private var claim: Claim
    private var commit: ObjectID
    private let hub: Hub
    private var renewed = ContinuousClock.now
    private var isLost = false
    private var last: Task<Void, any Error>?

    let fence: Int
    let lease: Double

    init(_ claim: Claim, at commit: ObjectID, hub: Hub) {
        self.claim = claim
        self.commit = commit
        self.hub = hub
        fence = claim.fence
        lease = claim.lease
    }

    static func commit(_ claim: Claim, _ repository: Repository) throws -> ObjectID {
        let signature = Signature(name: "git-ml", email: "git-ml@localhost", time: claim.taken)
        return try repository.writeCommit(
            tree: repository.write(.tree, []), parents: [], by: signature, message: claim.message)
    }

    /// Holds on to it, and sends our events with it: they arrive only while it is ours.
    ///
    /// Throws ``ClaimLost`` when another runner has taken it.
    func renew(events: Bool) async throws {
        let before = last
        let task = Task {
            _ = try? await before?.value
            try await exchange(events: events)
        }
        last = task
        try await task.value
    }

    private func exchange(events: Bool) async throws {
        if isLost { throw ClaimLost(tag: claim.tag) }
        let next = Claim(tag: claim.tag, holder: claim.holder, fence: claim.fence, lease: claim.lease)
        let new = try Self.commit(next, hub.repository)
        do {
            guard try await hub.swap(next.ref, from: commit, to: new, events: events) else {
                isLost = true
                throw ClaimLost(tag: claim.tag)
            }
        } catch let failure as any Failure where !(failure is ClaimLost) {
            // Nobody can tell whether it is still ours once it has not been renewed for its term.
            if ContinuousClock.now > renewed + .seconds(claim.lease) { isLost = true }
            throw failure
        }
        (claim, commit, renewed) = (next, new, .now)
    }

    /// Lets go of it.
    func release() async {
        _ = try? await last?.value
        if !isLost { _ = try? await hub.swap(claim.ref, from: commit, to: nil, events: false) }
        isLost = true
    }
}

/// Another runner works at the assignment now: nothing more is written of it here.
struct ClaimLost: Failure {
    let tag: String
    var kind: FailureKind { .remote }
    var description: String { "another runner has taken \(tag) over" }
    var hints: [String] { [] }
}
