internal import Base

extension Git {
    /// Runs `git fetch`.
    ///
    /// Two that fetch into one repository at once meet at the refs, and git gives the second one up: it tries again, for as
    /// long as ``NotesSync/patience``.
    public func fetch(_ arguments: [String]) async throws {
        let deadline = ContinuousClock.now + NotesSync.patience
        while true {
            let result = try await attempt(["fetch"] + arguments)
            if result.status != 0, result.errors.contains("cannot lock ref"), ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(Int.random(in: 10...150)))
            } else {
                _ = try result.checked("git", ["fetch"] + arguments)
                return
            }
        }
    }
}
