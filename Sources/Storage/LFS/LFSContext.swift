public import Base
public import SystemPackage

/// What a client of an LFS server needs of the repository it works for.
public struct LFSContext: Sendable {
    public let settings: LFSSettings
    /// The name of the git remote, or its address.
    public let remote: String
    /// Where relative addresses count from.
    public let directory: FilePath
    /// The branch that data is fetched or pushed for, in full (`refs/heads/main`); servers may ask for it.
    public var ref: String?
    /// Runs git in the repository.
    let git: @Sendable (_ arguments: [String], _ input: [UInt8]) async throws -> ProcessResult

    public init(
        _ settings: LFSSettings, remote: String, directory: FilePath, ref: String? = nil,
        git: @escaping @Sendable (_ arguments: [String], _ input: [UInt8]) async throws -> ProcessResult
    ) {
        self.settings = settings
        self.remote = remote
        self.directory = directory
        self.ref = ref
        self.git = git
    }

    public func endpoint(for direction: TransferDirection) -> LFSEndpoint? {
        LFSEndpoint.find(remote: remote, for: direction, in: settings, directory: directory)
    }
}
