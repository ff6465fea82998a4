internal import Base
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

    /// The policy of a bare repository: the newest commit of the branch that `HEAD` names; nil when that has no commit, or no
    /// `ml.yaml`.
    public static func ofServer(_ repository: Repository) throws -> Policy? {
        guard let commit = try repository.head() else { return nil }
        return try Policy(at: commit, branch: shortName(try repository.headBranch() ?? "HEAD"), in: repository)
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
