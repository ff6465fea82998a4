internal import Base
internal import GitKit
internal import Runs

/// Counts the people who have approved.
struct ApprovalCount {
    /// Somebody whose own approval does not count, and why.
    struct Involved: Equatable {
        /// A mail address, a user's name, a principal or a key.
        let name: String
        let part: String
    }

    struct Result: Equatable {
        /// One set of names and keys a person.
        var people: [Set<String>] = []
        /// What is wrong with each approval, in their order; nil: it counts.
        var objections: [String?] = []
        /// Who was not counted, and why.
        var passedOver: [String] = []
    }

    /// Those who made what lies at a commit: its author, and whoever trained the model there.
    static func makers(
        of commit: ObjectID, path: String, in repository: Repository, runs: () throws -> RunStore
    ) throws -> [Involved] {
        var users: [String] = []
        do {
            users = try runs().run(behind: commit, path: path)?.user.map { [$0] } ?? []
        } catch let failure as DisagreeingRuns {
            users = failure.runs.compactMap(\.user)
        }
        return [Involved(name: try repository.commit(commit).author.email, part: "wrote the commit")]
            + users.map { Involved(name: $0, part: "trained it") }
    }

    /// The keys that count; nil: an approval need not be signed, and is its author's word.
    let signers: Signers?
    let repositoryID: String?
    let involved: [Involved]

    /// People are told apart by their key and the names that policy gives it where approvals are signed, else by address.
    ///
    /// Who approves twice counts once.
    func count(_ approvals: [Approval]) async throws -> Result {
        var result = Result()
        for approval in approvals {
            let names: Set<String>
            do {
                names = try await self.names(approval)
            } catch let failure as SignatureFailure {
                result.passedOver.append("\(approval.by): \(failure)")
                result.objections.append("\(failure)")
                continue
            }
            if let other = involved.first(where: { other in names.contains { Self.isSame($0, other.name) } }) {
                result.passedOver.append("\(approval.by) \(other.part)")
                result.objections.append("whoever gave it \(other.part)")
                continue
            }
            let same = result.people.filter { !$0.isDisjoint(with: names) }
            result.objections.append(same.isEmpty ? nil : "the same person has approved already")
            result.people.removeAll { !$0.isDisjoint(with: names) }
            result.people.append(same.reduce(names) { $0.union($1) })
        }
        return result
    }

    private func names(_ approval: Approval) async throws -> Set<String> {
        guard let signers else { return [approval.by.lowercased()] }
        let signer = try await approval.signer(signers, repositoryID: repositoryID)
        return Set(signer.names.map { $0.lowercased() } + [signer.key])
    }

    /// A run knows its user by the name at the machine: `ann` is then `ann@example.com`.
    private static func isSame(_ a: String, _ b: String) -> Bool {
        let (a, b) = (a.lowercased(), b.lowercased())
        if a == b { return true }
        if a.contains("@") == b.contains("@") { return false }
        return a.prefix { $0 != "@" } == b.prefix { $0 != "@" }
    }
}
