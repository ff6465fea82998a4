public import Base
internal import GitKit
public import Storage
internal import SystemPackage

/// The `data:` section of `ml.yaml`.
public struct DataSettings: Sendable, Equatable {
    public enum Link: String, CaseIterable, Sendable { case reflink, copy, hardlink, symlink }

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
        link = try fields["link"]?.choice(Link.self) ?? link
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

    /// The data remote of a repository.
    ///
    /// Without `data.remote` it is the git remote's own: for a repository on this machine the folder in which
    /// git-lfs's standalone transfer keeps objects too, `<repository>/lfs/objects`.
    public func objectRemote(gitRemote: String?) throws -> any ObjectRemote {
        if let remote { return DirectoryRemote(try Self.folder(remote)) }
        guard let gitRemote else { throw StorageFailure.unsupportedRemote("a repository without a remote") }
        let repository = try Repository(Self.folder(gitRemote))
        return DirectoryRemote(repository.commonDirectory.appending("lfs").appending("objects"))
    }

    private static func folder(_ address: String) throws -> FilePath {
        let path = address.hasPrefix("file://") ? String(address.dropFirst(7)) : address
        guard path.hasPrefix("/") || (path.hasPrefix(".") && !path.contains("://")) else {
            throw StorageFailure.unsupportedRemote(address)
        }
        return FilePath(path)
    }
}
