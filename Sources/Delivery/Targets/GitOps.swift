public import Base
internal import GitKit
internal import SystemPackage

/// Commits manifests to a repository that Argo CD or Flux watches.
public struct GitOps: Sendable {
    /// What came of it.
    public struct Outcome: Sendable, Equatable {
        /// The commit; nil: the file said the same already.
        public let commit: String?
        /// The file, from the top of that repository.
        public let file: String
        public let isPushed: Bool
    }

    private let place: String

    /// A folder of a work tree, or `URL//FOLDER`.
    public init(_ place: String) { self.place = place }

    private var isRemote: Bool {
        place.contains("://") || place.prefix { $0 != "/" }.contains(where: { $0 == ":" })
    }

    /// Writes the manifest as one file and commits it, and nothing else; a remote gets it pushed.
    ///
    /// Running it again changes nothing. Throws a ``ProcessFailure`` of git, and ``GitOpsFailure``.
    public func commit(_ manifest: Manifest, message: String) async throws -> Outcome {
        guard isRemote else {
            let folder = FilePath(place)
            guard Files.status(folder)?.kind == .directory else { throw GitOpsFailure.noFolder(place) }
            return try await write(manifest, message, in: folder)
        }
        let (url, folder) = try parts()
        let clone = FilePath(environmentValue("TMPDIR") ?? "/tmp").appending("git-ml-gitops-\(UUIDv7())")
        defer { try? Files.removeTree(clone) }
        let git = Git(in: clone)
        for attempt in 1... {
            try? Files.removeTree(clone)
            try await Git(in: clone.removingLastComponent())(
                "clone", "--quiet", "--depth", "1", "--end-of-options", url, clone.string)
            let place = clone.appending(folder.components)
            try Files.makeDirectory(place)
            let outcome = try await write(manifest, message, in: place)
            guard outcome.commit != nil else { return outcome }
            let push = try await git.attempt(["push", "--quiet", "origin", "HEAD"])
            if push.status == 0 { return Outcome(commit: outcome.commit, file: outcome.file, isPushed: true) }
            // Somebody else has pushed meanwhile: once more on top of that.
            guard attempt < 5, push.errors.contains("fetch first") || push.errors.contains("non-fast-forward") else {
                throw GitOpsFailure.push(url: url, reason: push.errors.trimmingTrailingSpace)
            }
        }
        throw CancellationError()
    }

    private func parts() throws -> (url: String, folder: FilePath) {
        let start = place.firstRange(of: "://")?.upperBound ?? place.startIndex
        guard let mark = place[start...].firstRange(of: "//") else { return (place, "") }
        let folder = FilePath(String(place[mark.upperBound...]))
        guard !folder.isAbsolute, !folder.components.contains(where: { $0.kind != .regular }) else {
            throw GitOpsFailure.noFolder(place)
        }
        return (String(place[..<mark.lowerBound]), folder)
    }

    private func write(_ manifest: Manifest, _ message: String, in folder: FilePath) async throws -> Outcome {
        let git = Git(in: folder)
        let file = manifest.name + ".yaml"
        let prefix = try await git("rev-parse", "--show-prefix").trimmingTrailingSpace
        let path = folder.appending(file)
        if let status = Files.status(path), status.kind != .file { throw GitOpsFailure.noFolder(path.string) }
        try Files.replace(path, with: manifest.text.utf8)
        try await git("add", "--", file)
        let isSame = try await git.attempt(["diff", "--cached", "--quiet", "--", file]).status == 0
        if isSame { return Outcome(commit: nil, file: prefix + file, isPushed: false) }
        try await git("commit", "--quiet", "-m", message, "--only", "--", file)
        let commit = try await git("rev-parse", "HEAD").trimmingTrailingSpace
        return Outcome(commit: commit, file: prefix + file, isPushed: false)
    }
}

/// Why manifests could not be committed.
public enum GitOpsFailure: Failure, Equatable {
    case noFolder(String)
    case push(url: String, reason: String)

    public var kind: FailureKind {
        if case .push = self { .remote } else { .user }
    }
    public var description: String {
        switch self {
        case .noFolder(let place): "\(place) is no folder of a git repository"
        case .push(let url, let reason): "the manifests could not be pushed to \(url): \(reason)"
        }
    }
    public var hints: [String] {
        switch self {
        case .noFolder: ["give a folder of a clone, or URL//FOLDER such as https://example.com/gitops.git//apps"]
        case .push: []
        }
    }
}
