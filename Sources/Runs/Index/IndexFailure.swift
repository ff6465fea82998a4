public import Base
internal import GRDB
internal import SystemPackage

/// Why the index of runs cannot be used.
public enum IndexFailure: Failure, Equatable {
    case diskFull(path: String)
    case busy(path: String)
    case unusable(path: String, reason: String)

    public var kind: FailureKind { .user }
    public var description: String {
        switch self {
        case .diskFull(let path): "\(path) cannot be written: the disk is full"
        case .busy(let path): "\(path) has been in use by another process for too long"
        case .unusable(let path, let reason): "\(path) cannot be used: \(reason)"
        }
    }
    public var hints: [String] {
        switch self {
        case .diskFull: ["free some space and run the command again"]
        case .busy: ["run the command again; `fuser \(path)` names the process"]
        case .unusable: ["remove it: the next command makes it anew from the notes"]
        }
    }

    private var path: String {
        switch self {
        case .diskFull(let path), .busy(let path), .unusable(let path, _): path
        }
    }

    /// What SQLite said, in words for people; other errors come back as they are.
    static func from(_ error: any Error, _ path: FilePath) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        switch error.resultCode.primaryResultCode {
        case .SQLITE_FULL: return IndexFailure.diskFull(path: path.string)
        case .SQLITE_BUSY, .SQLITE_LOCKED: return IndexFailure.busy(path: path.string)
        default: return IndexFailure.unusable(path: path.string, reason: error.message ?? "\(error.resultCode)")
        }
    }
}

extension DatabaseError {
    /// Whether the file is no database, or one that cannot be trusted any more.
    var isCorruption: Bool {
        [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT, .SQLITE_ERROR].contains(resultCode.primaryResultCode)
    }

    /// Whether the folder or the file cannot be written.
    var isReadOnly: Bool {
        [.SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH].contains(resultCode.primaryResultCode)
    }
}
