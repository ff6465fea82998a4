internal import Base

/// Carries our refs between a clone and its remotes.
///
/// What a remote has is fetched to `refs/notes/ml-remotes/<remote>/…`; reading commands unite it with our own
/// notes. Pushing unites first, so that nobody's lines are ever lost.
public struct NotesSync: Sendable {
    public static let kinds = ["runs", "deliveries", "registry"]

    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// The refspecs that bring a remote's notes along with every `git fetch`.
    public static func fetchSpecs(_ remote: String) -> [String] {
        ["+refs/notes/ml/*:refs/notes/ml-remotes/\(remote)/*", "+refs/ml/objects*:refs/ml/remotes/\(remote)/objects*"]
    }

    /// Unites what was fetched with our own notes; cheap when nothing is new.
    public func mergeFetched() throws {
        let prefix = "refs/notes/ml-remotes/"
        for ref in try repository.refs(below: prefix) {
            guard let kind = ref.name.split(separator: "/").last, Self.kinds.contains(String(kind)) else { continue }
            let notes = Notes("refs/notes/ml/\(kind)", in: repository)
            if try repository.ref(notes.ref) != ref.target { try notes.merge(ref.target) }
        }
    }

    /// Fetches a remote's notes and unites them with ours.
    public func fetch(_ remote: String) async throws {
        try await repository.git.run(
            ["fetch", "--quiet", "--no-tags", "--no-auto-maintenance", remote] + Self.fetchSpecs(remote))
        try mergeFetched()
    }

    /// Sends our notes, and tries again for ten seconds when somebody else was faster.
    ///
    /// Returns whether anything was sent. What could not be sent stays here and goes with the next push.
    @discardableResult
    public func push(_ remote: String) async throws -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            try await fetch(remote)
            let specs = try Self.kinds.compactMap { kind -> String? in
                let ref = "refs/notes/ml/\(kind)"
                guard let own = try repository.ref(ref) else { return nil }
                return own == (try repository.ref("refs/notes/ml-remotes/\(remote)/\(kind)")) ? nil : "\(ref):\(ref)"
            }
            if specs.isEmpty { return false }
            let result = try await repository.git.attempt(
                ["push", "--quiet", "--no-verify", "--atomic", remote] + specs)
            if result.status == 0 { return true }
            let wasSlower = ["rejected", "cannot lock ref", "failed to update ref"].contains {
                result.errors.contains($0)
            }
            guard wasSlower, ContinuousClock.now < deadline else {
                throw ProcessFailure.failed(
                    command: "git push \(remote) refs/notes/ml/*", status: result.status, errors: result.errors)
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 10...150)))
        }
    }
}
