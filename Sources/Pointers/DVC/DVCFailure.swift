public import Base

/// Why data cannot be taken over from DVC.
public enum DVCFailure: Failure, Equatable {
    case noProject(String)
    case nothing([String])
    case malformed(file: String, reason: String)
    case unknownRemote(String, known: [String])
    case unusableRemote(String, reason: String)
    /// Content that is nowhere: what was looked for, and where.
    case missing(paths: [String], places: [String])
    case damaged(path: String, place: String, wanted: String)

    public var kind: FailureKind {
        switch self {
        case .noProject, .nothing, .unknownRemote, .missing: .notFound
        case .malformed, .damaged: .corrupt
        case .unusableRemote: .user
        }
    }

    public var description: String {
        switch self {
        case .noProject(let folder): "\(folder) holds no DVC project: there is no .dvc folder"
        case .nothing(let paths):
            paths.isEmpty
                ? "no .dvc file and no dvc.lock is here" : "DVC tracks nothing at \(paths.joined(separator: ", "))"
        case .malformed(let file, let reason): "\(file) \(reason)"
        case .unknownRemote(let name, _): "DVC's settings name no remote “\(name)”"
        case .unusableRemote(let name, let reason): "the DVC remote “\(name)” cannot be read: \(reason)"
        case .missing(let paths, let places):
            "the content of \(paths.count) file(s) is not in \(places.joined(separator: " or ")): "
                + paths.prefix(20).joined(separator: ", ") + (paths.count > 20 ? ", …" : "")
        case .damaged(let path, let place, let wanted):
            "the content of \(path) at \(place) does not have the MD5 \(wanted)"
        }
    }

    public var hints: [String] {
        switch self {
        case .noProject: ["run the command in the work tree of a DVC project"]
        case .nothing: ["`dvc list . --dvc-only -R` lists what DVC tracks"]
        case .malformed: []
        case .unknownRemote(_, let known): known.isEmpty ? [] : ["known are \(known.sorted().joined(separator: ", "))"]
        case .unusableRemote: ["run `dvc fetch` first: what is in DVC's cache is taken from there"]
        case .missing:
            [
                "nothing was changed; `dvc fetch` in a clone that has the remote brings it, or name a remote with --remote"
            ]
        case .damaged: ["move it away and run `dvc fetch`"]
        }
    }
}
