public import Base

/// Why content could not be stored or brought.
public enum StorageFailure: Failure, Equatable {
    case missing(Digest, remote: String)
    case damaged(Digest, place: String)
    case unsupportedRemote(String)
    /// A pointer gives another size than its content has; how many it is, where that can be told.
    case wrongSize(Digest, said: Int64, size: Int64?, place: String)
    /// A file of the user's was written to while it was read.
    case changing(String)

    public var kind: FailureKind {
        switch self {
        case .missing: .notFound
        case .damaged, .wrongSize: .corrupt
        case .unsupportedRemote, .changing: .user
        }
    }

    public var description: String {
        switch self {
        case .missing(let digest, let remote): "the content \(digest.short) is not at \(remote)"
        case .damaged(let digest, let place): "the content at \(place) does not match its digest \(digest)"
        case .unsupportedRemote(let text): "“\(text)” is no data remote that this version can use"
        case .wrongSize(let digest, let said, let size, let place):
            "the pointer of \(digest.short) says that the content has \(said) bytes; it has "
                + "\(size.map { "\($0)" } ?? "another number") at \(place)"
        case .changing(let path): "\(path) changed while it was read"
        }
    }

    public var hints: [String] {
        switch self {
        case .missing: ["run `git push` in the clone that made it: it sends what is missing"]
        case .damaged: ["move that file away; the next push or pull brings it again from where it is whole"]
        case .wrongSize:
            [
                "`git ml fsck` names the file; add it anew where its content is, and commit that",
                "if the pointer is right, the content there was cut: `git ml push --all` where it is whole, once the bad one is removed",
            ]
        case .changing: ["run the command again when nothing writes to that file"]
        case .unsupportedRemote: ["set `data.remote` in ml.yaml to s3://…, az://…, gs://…, ssh://…, file:///… or lfs"]
        }
    }
}
