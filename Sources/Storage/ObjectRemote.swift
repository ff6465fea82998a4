public import Base
public import SystemPackage

/// Content that a clone shares with others.
public struct ContentID: Hashable, Sendable {
    public let digest: Digest
    /// In bytes.
    public let size: Int64

    public init(_ digest: Digest, size: Int64) {
        self.digest = digest
        self.size = size
    }

    /// Where object stores keep it, below their prefix: `aa/bb/<oid>`, as the folder of git-lfs is laid out.
    var key: String {
        let hex = digest.hex
        return "\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))/\(hex)"
    }
}

/// Which way content is to go.
public enum TransferDirection: Sendable { case upload, download }

/// A place outside the clone that keeps content under its digest.
///
/// Implementations move bytes once, plainly: retry, rate limit, verification and parallelism are wrappers and the
/// ``Transfer`` engine.
public protocol ObjectRemote: Sendable {
    /// The address without secrets.
    var address: String { get }
    /// How many transfers may run at once.
    var width: Int { get }
    /// Whether the remote itself refuses bytes that do not match the digest; where not, ``Transfer`` reads the file first.
    var verifiesUploads: Bool { get }
    /// The store itself, where it is a folder of this machine: ``Transfer`` then copies many contents at a time.
    var localStore: ContentStore? { get }
    /// Answers whether the remote can be reached, by an error when not.
    func check() async throws
    /// Which of these are there, with the right size.
    ///
    /// Batched: one listing or a few calls, never one call an object when there are many.
    func present(_ contents: [ContentID], for direction: TransferDirection) async throws -> Set<ContentID>
    /// How many bytes lie there under the content's digest, whatever its size should be; nil when there are none, and where the
    /// remote cannot tell.
    func size(of content: ContentID) async throws -> Int64?
    /// A stretch of a content's bytes, not verified; nil where the remote gives contents only whole.
    func bytes(of content: ContentID, _ range: Range<Int64>) async throws -> [UInt8]?
    /// Says what is going to be brought next, so that a remote that is asked in batches can ask for many at once.
    ///
    /// Nothing is asked or waited for here.
    func announce(_ contents: [ContentID])
    /// Sends one from a file that is whole; a reader never sees a part of it.
    ///
    /// `progress` gets the bytes sent since the last call; a negative number takes back what has to be sent again.
    func upload(_ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void) async throws
    /// Appends to `file` from its present length on, so a partial download is continued, until it has `content.size` bytes.
    ///
    /// `progress` gets the bytes received since the last call. The bytes are not verified here.
    func download(_ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void) async throws
}

extension ObjectRemote {
    public var width: Int { 8 }
    public func announce(_ contents: [ContentID]) {}
    public func size(of content: ContentID) async throws -> Int64? { nil }
    public func bytes(of content: ContentID, _ range: Range<Int64>) async throws -> [UInt8]? { nil }
    public var verifiesUploads: Bool { false }
    public var localStore: ContentStore? { nil }
}
