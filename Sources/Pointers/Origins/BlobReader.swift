internal import Base
internal import GitKit
internal import SystemPackage

/// Reads blobs of any size piece by piece, through one `git cat-file`.
struct BlobReader {
    private static let piece = 1 << 20
    private let child: Coprocess
    private let address: String

    init(_ other: OtherRepository) throws {
        guard let git = ChildProcess.find("git") else { throw ProcessFailure.notFound(program: "git") }
        var environment = Daemon.currentEnvironment()
        for name in ChildProcess.repositoryVariables { environment[name] = nil }
        environment["GIT_DIR"] = other.repository.gitDirectory.string
        child = try Coprocess(
            git, ["cat-file", "--batch"], environment: environment, in: other.repository.gitDirectory)
        address = other.address.shown
    }

    /// Gives a blob's bytes to `put`, at most 1 MiB at a time.
    func read(_ id: ObjectID, _ put: (UnsafeRawBufferPointer) throws -> Void) throws {
        child.send(Array((id.hex + "\n").utf8))
        let words =
            child.line().map { String(decoding: $0, as: UTF8.self).split(separator: " ").map(String.init) } ?? []
        guard words.count == 3, words[1] == "blob", var rest = Int(words[2]) else {
            throw OriginFailure.unreachable(address, words: "it does not give the object \(id.short)")
        }
        while rest > 0 {
            guard let bytes = child.bytes(min(rest, Self.piece)) else {
                throw OriginFailure.unreachable(address, words: "the object \(id.short) ends early")
            }
            rest -= bytes.count
            try bytes.withUnsafeBytes { try put($0) }
        }
        _ = child.bytes(1)
    }
}
