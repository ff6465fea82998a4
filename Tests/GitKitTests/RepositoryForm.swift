import Base
import SystemPackage
import TestSupport

@testable import GitKit

/// The forms of repository that GitKit's tests run on: one that libgit2 opens, and those that only git does.
enum RepositoryForm: String, CaseIterable, Sendable {
    case sha1, sha256, reftable

    /// Those that the installed git can make.
    static let all: [RepositoryForm] = {
        let folder = try? TemporaryDirectory()
        guard let folder, let git = ChildProcess.find("git") else { return [] }
        let result = try? BlockingProcess.run(
            git, ["init", "-q", "--ref-format=reftable", folder.path.string], environment: ["HOME": "/nonexistent"])
        return result?.status == 0 ? allCases : [.sha1, .sha256]
    }()

    private var options: String {
        switch self {
        case .sha1: ""
        case .sha256: "--object-format=sha256"
        case .reftable: "--ref-format=reftable"
        }
    }

    /// Makes a repository with one commit in a folder of the sandbox and opens it.
    func make(in sandbox: Sandbox, _ folder: String = "work") async throws -> Repository {
        try await sandbox.sh(
            "git init -q -b main \(options) '\(folder)' && cd '\(folder)' && git commit -q --allow-empty -m first")
        return try Repository(sandbox.path.appending(folder))
    }
}
