public import Base

/// Why something in a repository could not be read or changed.
public enum GitFailure: Failure, Equatable {
    case noRepository(at: String)
    case noWorkTree(String)
    case unknownRevision(String)
    case missingObject(String)
    case malformed(object: String, reason: String)
    /// A ref did not hold what it should have held: somebody else moved it first.
    case moved(ref: String)
    case library(action: String, code: Int32, message: String)

    public var kind: FailureKind {
        switch self {
        case .noRepository, .noWorkTree, .library, .moved: .user
        case .unknownRevision: .notFound
        case .missingObject, .malformed: .corrupt
        }
    }

    public var description: String {
        switch self {
        case .noRepository(let path): "\(path) is not inside a git repository"
        case .noWorkTree(let path): "\(path) is a bare repository and has no work tree"
        case .unknownRevision(let text): "“\(text)” names no commit, branch or tag here"
        case .missingObject(let id): "the object \(id) is not in this repository"
        case .malformed(let object, let reason): "the object \(object) is malformed: \(reason)"
        case .moved(let ref): "\(ref) was moved by somebody else at the same moment"
        case .library(let action, _, let message): "cannot \(action): \(message)"
        }
    }

    public var hints: [String] {
        switch self {
        case .noRepository: ["start one with `git init`, then run `git ml init`"]
        case .noWorkTree: ["run the command in a clone"]
        case .unknownRevision: ["`git log --oneline --all` lists commits"]
        case .missingObject: ["a shallow or partial clone may lack it: try `git fetch --unshallow`, else `git fsck`"]
        case .malformed: ["check the repository with `git fsck`"]
        case .moved: ["run the command again"]
        case .library: []
        }
    }
}
