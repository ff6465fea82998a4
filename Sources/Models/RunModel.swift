internal import Base
public import GitKit
public import Runs

/// The model that a run made, and the commits that hold it.
///
/// Only a commit whose tree has that very content under the model's path is the run's model: the run's code commit, or a
/// commit that was linked to it later.
public struct RunModel: Sendable {
    public let run: Run
    /// The model's file or folder.
    public let path: String

    public init(_ run: Run, path: String) {
        self.run = run
        self.path = path
    }

    /// What the run made under the path.
    public var outputs: [RunItem] {
        run.outputs.filter { $0.role == .model && ($0.path == path || $0.path.hasPrefix(path + "/")) }
    }

    /// The first commit that holds the model; nil when none does.
    ///
    /// A snapshot of a dirty work tree lies on no branch, so commits linked to the run are preferred to it.
    public func commit(in repository: Repository) throws -> ObjectID? {
        let commits = run.dirty ? run.links + [run.commit] : [run.commit] + run.links
        return try commits.first { try isHeld(by: $0, in: repository) }
    }

    /// Whether a commit's tree has all that the run made under the path; a commit that is not here has nothing.
    public func isHeld(by commit: ObjectID, in repository: Repository) throws -> Bool {
        guard !outputs.isEmpty, try repository.header(commit) != nil else { return false }
        return try outputs.allSatisfy { try repository.content($0.path, at: commit) == $0.digest }
    }
}
