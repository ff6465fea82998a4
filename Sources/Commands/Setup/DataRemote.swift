internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Storage
internal import SystemPackage

/// Finds the data remote that goes with a git remote.
struct DataRemote {
    private let repository: Repository
    private let project: Project

    init(_ repository: Repository, project: Project) {
        self.repository = repository
        self.project = project
    }

    /// That of a git remote, by its name.
    func resolve(_ remote: String) throws -> any ObjectRemote {
        try project.data.objectRemote(of: repository, gitRemote: remote)
    }

    /// Replaces the pointers in the work tree by what they stand for, with a bar while it lasts; returns the paths.
    func checkOut(_ commit: ObjectID, from remote: any ObjectRemote) async throws -> [String] {
        let bar = ProgressBar("fetching")
        defer { bar.finish() }
        return try await DataTransfer(repository, store: repository.contentStore, remote: remote) {
            bar.advance(by: $0, of: $1)
        }.checkOut(commit, link: project.data.link)
    }

    /// Where gates get content that is not here; nil without a remote: then nothing has ever been elsewhere.
    var source: (@Sendable () throws -> any ObjectRemote)? {
        get throws {
            if try project.data.isAtGitRemote && repository.workTree != nil && repository.remotes().isEmpty {
                return nil
            }
            return { try own() }
        }
    }

    /// That of ``resolve()``, in a bare repository its own folder.
    func own() throws -> any ObjectRemote {
        guard repository.workTree == nil else { return try resolve() }
        return try project.data.objectRemote(of: repository, gitRemote: repository.commonDirectory.string)
    }

    /// That of the git remote which content is fetched from: the current branch's, else `origin`, else the first.
    func resolve() throws -> any ObjectRemote {
        let settings = try repository.lfsSettings()
        return try project.data.objectRemote(of: repository, gitRemote: repository.lfsRemote(settings))
    }
}
