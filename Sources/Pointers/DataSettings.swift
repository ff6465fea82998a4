public import Base
public import GitKit
public import Storage
internal import SystemPackage

/// The `data:` section of `ml.yaml`.
public struct DataSettings: Sendable, Equatable {
    public enum Link: String, CaseIterable, Sendable {
        case reflink, copy, hardlink, symlink

        /// Whether a file of its own in git is a hard link to the store: for git a symbolic link is another kind of file
        /// than what it tracks, so that only the files of datasets become such.
        public var linksFiles: Bool { self == .hardlink || self == .symlink }
    }

    /// What the catalogue says of one path.
    public struct Entry: Sendable, Equatable {
        public var description: String?
        public var owner: String?
        public var schema: String?
    }

    /// Nil: the git remote's own place for LFS objects.
    public var remote: String?
    public var link = Link.reflink
    /// An untracked file of more bytes is caught at commit.
    public var warnAbove: Int64 = 50_000_000
    public var catalog: [String: Entry] = [:]

    public init() {}

    /// Decodes the section; what is absent keeps its default.
    public init(_ node: YAMLNode) throws {
        let fields = try node.fields(["remote", "link", "warn_above", "catalog"])
        remote = try fields["remote"]?.text()
        if let link = fields["link"] { self.link = try link.choice(Link.self) }
        if let size = fields["warn_above"] {
            guard let bytes = ByteCount.parse(try size.text()) else {
                throw size.failure("“warn_above” must be a size such as 50MB")
            }
            warnAbove = bytes
        }
        for entry in try fields["catalog"]?.entries() ?? [] {
            let fields = try entry.value.fields(["description", "owner", "schema"])
            catalog[entry.key] = Entry(
                description: try fields["description"]?.text(), owner: try fields["owner"]?.text(),
                schema: try fields["schema"]?.text())
        }
    }

    /// Whether content goes to the place of the git remote's LFS objects.
    public var isAtGitRemote: Bool { remote == nil || remote == "lfs" }

    /// The data remote of a repository.
    ///
    /// Without `data.remote`, or with `lfs`, it is the place of the git remote's LFS objects; `gitRemote` is its name or an
    /// address, and `ref` the remote's branch that is pushed to.
    public func objectRemote(
        of repository: Repository, gitRemote: String?, ref: String? = nil
    ) throws -> any ObjectRemote {
        if let remote, !isAtGitRemote {
            return try DataAddress.objectRemote(remote, of: repository)
        }
        guard let gitRemote else { throw StorageFailure.unsupportedRemote("a repository without a remote") }
        return try DataAddress.objectRemote(repository.lfsContext(remote: gitRemote, ref: ref))
    }

    /// The place of another repository's LFS objects, whatever this one's settings say of its own.
    public static func objectRemote(
        ofForkAt address: String, from repository: Repository
    ) throws -> any ObjectRemote {
        let settings = try repository.lfsSettings().withoutOwnServer
        return try DataAddress.objectRemote(repository.lfsContext(remote: address, settings: settings))
    }
}
