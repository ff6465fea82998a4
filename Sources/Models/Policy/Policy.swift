public import Base
public import GitKit

/// Who may stage and what must hold: `ml.yaml` and the signers of the protected branch at its newest commit.
///
/// What the commit that is to be deployed says about policy counts for nothing.
public struct Policy: Sendable {
    public let repository: Repository
    public let commit: ObjectID
    /// The short name of the protected branch, for messages.
    public let branch: String
    public let project: Project

    /// The policy of a commit of the protected branch; nil when it has no `ml.yaml`.
    public init?(at commit: ObjectID, branch: String, in repository: Repository) throws {
        guard let project = try Project.at(commit, in: repository) else { return nil }
        self.repository = repository
        self.commit = commit
        self.branch = branch
        self.project = project
    }

    /// The policy that a runner follows; nil when the protected branch has no commit, or no `ml.yaml`.
    ///
    /// In a bare repository the protected branch is the one that `HEAD` names, in a clone the default branch of its remote as it
    /// was last fetched: what is checked out in a work tree decides nothing.
    public static func protected(_ repository: Repository) throws -> Policy? {
        let remotes = repository.workTree == nil ? [] : try repository.remotes()
        guard let remote = remotes.contains("origin") ? "origin" : remotes.first else {
            guard let commit = try repository.head() else { return nil }
            return try Policy(at: commit, branch: shortName(try repository.headBranch() ?? "HEAD"), in: repository)
        }
        let name = "\(remote)/HEAD"
        guard let commit = try repository.ref("refs/remotes/\(name)") else {
            throw UnknownDefaultBranch(remote: remote)
        }
        return try Policy(at: commit, branch: name, in: repository)
    }

    /// A branch's name without `refs/heads/`.
    public static func shortName(_ branch: String) -> String {
        branch.hasPrefix("refs/heads/") ? String(branch.dropFirst("refs/heads/".count)) : branch
    }

    /// The signers that a stage asks for.
    func signers(_ settings: SignerSettings) throws -> Signers {
        guard let signers = try Signers(settings.file, at: commit, in: repository) else {
            throw PolicyRefusal.noSigners(file: settings.file)
        }
        return signers
    }
}

/// A clone that does not know which branch of its remote is the default one.
public struct UnknownDefaultBranch: Failure {
    let remote: String
    public var kind: FailureKind { .user }
    public var description: String { "which branch of \(remote) is the protected one is not known in this clone" }
    public var hints: [String] { ["ask for it with `git remote set-head \(remote) --auto`"] }
}

/// `signers:` of a stage.
///
/// Either a path, `signers: .ml/allowed_signers`: everybody whose key stands there may stage; or with the names of those who
/// may, as the file names them, `*` standing for anything:
///
/// ```yaml
/// signers: {file: .ml/allowed_signers, names: [lead@example.com, "*@leads.example.com"]}
/// ```
public struct SignerSettings: Sendable, Equatable {
    /// An allowed-signers file of OpenSSH, or an armoured OpenPGP keyring; from the top of the protected branch.
    public let file: String
    /// Empty: everybody in the file.
    public let names: [String]

    init(_ node: YAMLNode) throws {
        guard case .map = node.value else {
            file = try node.relativePath()
            names = []
            return
        }
        let fields = try node.fields(["file", "names"])
        guard let path = fields["file"] else { throw node.failure("“\(node.path)” needs a file") }
        file = try path.relativePath()
        names = try fields["names"]?.texts() ?? []
    }

    /// Whether one of a signer's names may stage.
    public func allows(_ signer: Signer) -> Bool {
        names.isEmpty || signer.names.contains { name in names.contains { fnmatch($0, name, 0) == 0 } }
    }
}
