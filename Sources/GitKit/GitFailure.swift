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
    /// Another process holds the ref's lock file, or left it behind when it was killed; its age in seconds.
    case locked(ref: String, path: String, age: Int64)
    case library(action: String, code: Int32, message: String)

    public var kind: FailureKind {
        switch self {
        case .noRepository, .noWorkTree, .library, .moved, .locked: .user
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
        case .locked(let ref, let path, let age):
            "\(ref) is locked by another git process: \(path) is \(age) second\(age == 1 ? "" : "s") old"
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
        case .locked(_, let path, _):
            [
                "if no git process runs here (`ps -C git`), one was killed: remove its lock with `rm \(shellQuoted(path))`"
            ]
        case .library: []
        }
    }
}
