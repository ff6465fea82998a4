internal import Base
internal import GitKit

extension OtherRepository {
    /// Brings the tags whose names begin so into the scratch repository, with their commits and nothing of what is in those.
    ///
    /// No beginning may hold a `*`.
    public func fetchTags(_ beginnings: [String]) async throws {
        let refs = beginnings.map { "refs/tags/\($0)*" }
        let there = try await git.attempt(["ls-remote", "--quiet", "origin"] + refs)
        guard there.status == 0 else {
            throw OriginFailure.unreachable(address.shown, words: there.errors.trimmingTrailingSpace)
        }
        // A fetch that finds nothing fails without a word.
        if there.output.isEmpty { return }
        let words = [
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--depth=1",
            "--filter=tree:0", "origin",
        ]
        let result = try await git.attempt(words + refs.map { "+\($0):\($0)" })
        guard result.status == 0 else {
            throw OriginFailure.unreachable(address.shown, words: result.errors.trimmingTrailingSpace)
        }
    }
}
