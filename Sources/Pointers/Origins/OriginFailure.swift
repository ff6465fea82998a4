public import Base

/// Why something cannot be brought out of another repository.
public enum OriginFailure: Failure, Equatable {
    case badAddress(String)
    case isEmpty(String)
    case unreachable(String, words: String)
    case unknownRevision(String, address: String)
    case noPath(String, address: String, commit: String)
    /// An entry that must not be written; `reason` stands behind the path.
    case refused(path: String, reason: String)
    case missing(paths: [String], places: [String])
    case noPlace(address: String, reason: String)
    case exists(String)
    case isChanged(path: String, file: String)
    case notImported(String)
    case badRecord(line: Int, reason: String)
    case filterNotSet

    public var kind: FailureKind {
        switch self {
        case .unreachable: .remote
        case .unknownRevision, .noPath, .missing, .notImported: .notFound
        case .refused, .badRecord: .corrupt
        default: .user
        }
    }

    public var description: String {
        switch self {
        case .badAddress(let text): "“\(text)” is no address of a git repository"
        case .isEmpty(let address): "\(address) has no commits"
        case .unreachable(let address, let words): "cannot read \(address): \(words)"
        case .unknownRevision(let text, let address): "“\(text)” names no commit, branch or tag at \(address)"
        case .noPath(let path, let address, let commit): "there is no \(path) at \(address) in \(commit.prefix(12))"
        case .refused(let path, let reason): "\(path) is not brought here: it \(reason)"
        case .missing(let paths, let places):
            "the content of \(paths.count) file(s) is not at \(places.joined(separator: " or ")): "
                + paths.prefix(5).joined(separator: ", ") + (paths.count > 5 ? ", …" : "")
        case .noPlace(let address, let reason): "nothing says where \(address) keeps its data: \(reason)"
        case .exists(let path): "\(path) is there already"
        case .isChanged(let path, let file):
            path == file ? "\(path) was changed here" : "\(path) was changed here: \(file)"
        case .notImported(let path): "\(path) was not imported from another repository"
        case .badRecord(let line, let reason): ".ml/imports.yaml:\(line): \(reason)"
        case .filterNotSet: "this clone does not send files through git-ml's filter"
        }
    }

    public var hints: [String] {
        switch self {
        case .badAddress: ["an address is what `git clone` takes: a URL, host:path, or a folder"]
        case .isEmpty, .unreachable, .refused: []
        case .unknownRevision(_, let address): ["`git ls-remote \(shellQuoted(address))` lists branches and tags"]
        case .noPath(_, let address, _): ["`git ml ls \(shellQuoted(address))` lists its data"]
        case .missing: ["run `git push` in the clone that made it: it sends what is missing"]
        case .noPlace: ["its ml.yaml should set `data.remote` to an address that can be reached from everywhere"]
        case .exists: ["name another place with --to, or replace it with --force"]
        case .isChanged: ["keep the change by moving it elsewhere, or lose it with --force"]
        case .notImported: ["`git ml import URL PATH` imports it; .ml/imports.yaml lists what was imported"]
        case .badRecord: ["each line is one import; keep the right one of two, and remove conflict marks"]
        case .filterNotSet: ["run `git ml init`"]
        }
    }
}
