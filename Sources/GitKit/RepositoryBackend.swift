internal import SystemPackage

/// What reads and writes a repository: libgit2, or the `git` program where libgit2 has no answer.
///
/// ``Repository`` says what each of these promises.
protocol RepositoryBackend: Sendable {
    var place: RepositoryPlace { get }

    func ref(_ name: String) throws -> ObjectID?
    func refs(below prefix: String) throws -> [Ref]
    func update(_ name: String, from old: ObjectID?, to new: ObjectID, reason: String) throws
    func headBranch() throws -> String?
    func resolve(_ revision: String) throws -> ObjectID

    func object(_ id: ObjectID) throws -> (kind: ObjectKind, bytes: [UInt8])
    func header(_ id: ObjectID) throws -> (kind: ObjectKind, size: Int)?
    func write(_ kind: ObjectKind, _ bytes: [UInt8]) throws -> ObjectID
    /// Counts the callers that will flush by themselves: while there are any, written objects may wait in memory.
    func holdBack(_ change: Int)
    /// Makes what was written durable, and visible to other processes.
    func flush() throws

    func history(
        from starts: [ObjectID], hiding hidden: [ObjectID], order: HistoryOrder, _ body: (ObjectID) throws -> Bool
    ) throws
    func isAncestor(_ ancestor: ObjectID, of commit: ObjectID) throws -> Bool

    func setting(_ key: String) throws -> String?
    func remotes() throws -> [String]
}

/// Where a repository lies, and in which form.
struct RepositoryPlace: Sendable {
    var gitDirectory: FilePath
    var commonDirectory: FilePath
    var workTree: FilePath?
    var format: ObjectFormat
    /// Whether the environment of this process says where it is, as git tells its hooks.
    var isFromEnvironment: Bool
}
