internal import Base
public import GitKit
internal import SystemPackage

/// Another repository at one commit, without a clone: a bare repository in a temporary folder that holds this commit's trees
/// and those blobs that are asked for.
///
/// Nothing of it is run: no hook, no filter, and of its settings only `ml.yaml` and `.lfsconfig` are read, to find its data.
/// The folder goes with the value.
public final class OtherRepository: Sendable {
    public let address: OriginAddress
    public let commit: ObjectID
    /// The scratch repository; its remote is `origin`.
    public let repository: Repository
    let git: Git
    /// Whether all blobs that are small enough to be pointers are here, and only those.
    let bringsSmallBlobs: Bool
    private let folder: TemporaryFolder

    private init(
        _ address: OriginAddress, _ commit: ObjectID, _ repository: Repository, _ git: Git, smallBlobs: Bool,
        _ folder: TemporaryFolder
    ) {
        bringsSmallBlobs = smallBlobs
        self.address = address
        self.commit = commit
        self.repository = repository
        self.git = git
        self.folder = folder
    }

    /// Fetches a commit; nil is the default branch's.
    ///
    /// With `smallBlobs` what may be a pointer comes along at once.
    public static func open(
        _ address: OriginAddress, revision: String? = nil, smallBlobs: Bool = false
    ) async throws -> OtherRepository {
        let folder = try TemporaryFolder()
        let scratch = Scratch(
            address, folder.path, smallBlobs ? "blob:limit=\(Pointer.maximumLength + 1)" : "blob:none")
        let commit = try await scratch.fetch(revision)
        return try OtherRepository(
            address, commit, Repository(folder.path), scratch.git, smallBlobs: smallBlobs, folder)
    }
}

/// A folder that goes with the value.
final class TemporaryFolder: Sendable {
    let path: FilePath

    init() throws {
        let base = environmentValue("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        path = FilePath(base).appending("git-ml-\(UUIDv7())")
        guard path.withPlatformString({ mkdir($0, 0o700) }) == 0 else {
            throw FileFailure("make the directory", path, Errno(rawValue: errno))
        }
    }

    deinit { try? Files.removeTree(path) }
}

/// Fetching into a bare repository that has never been used.
private struct Scratch {
    let address: OriginAddress
    let filter: String
    let git: Git
    private let folder: FilePath

    init(_ address: OriginAddress, _ folder: FilePath, _ filter: String) {
        self.address = address
        self.folder = folder
        self.filter = filter
        var environment: [String: String?] = ["GIT_DIR": folder.string]
        // What `git -c` said of this call counts (proxies, headers); which protocols there are, the user may have said.
        for name in ["GIT_CONFIG_PARAMETERS"] { environment[name] = environmentValue(name) }
        environment["GIT_ALLOW_PROTOCOL"] = environmentValue("GIT_ALLOW_PROTOCOL") ?? "file:git:http:https:ssh"
        git = Git(in: folder, environment: environment)
    }

    func fetch(_ revision: String?) async throws -> ObjectID {
        try await initialize("sha1")
        let refs = try await advertised(revision)
        var any = refs.first
        if any == nil { any = try await advertised([]).first }
        guard let any else { throw OriginFailure.isEmpty(address.shown) }
        if any.id.utf8.count == 64 { try await initialize("sha256") }
        let commit = try await commit(revision, refs, digits: any.id.utf8.count)
        try await git.run(["update-ref", "--no-deref", "HEAD", commit.hex])
        return commit
    }

    private func initialize(_ format: String) async throws {
        for name in try Files.list(folder) { try Files.removeTree(folder.appending(name)) }
        try await git.run(["init", "--quiet", "--bare", "--template=", "--object-format=\(format)"])
        var settings = [
            "remote.origin.url": address.text, "core.hooksPath": "/dev/null", "gc.auto": "0",
            "maintenance.auto": "false",
            "core.fsmonitor": "false", "core.attributesFile": "/dev/null",
        ]
        if address.folder != nil {
            settings["remote.origin.uploadpack"] =
                "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true upload-pack"
        }
        for (key, value) in settings { try await git.run(["config", key, value]) }
    }

    private func attempt(_ arguments: [String]) async throws -> ProcessResult {
        let result = try await git.attempt(arguments)
        guard result.status == 0 else {
            throw OriginFailure.unreachable(address.shown, words: Self.words(result.errors))
        }
        return result
    }

    /// The line that says why; git's advice around it helps nobody here.
    private static func words(_ errors: String) -> String {
        let lines = errors.split(whereSeparator: \.isNewline).map(String.init)
        let line =
            lines.first { $0.hasPrefix("fatal: ") || $0.hasPrefix("error: ") || $0.hasPrefix("ERROR: ") } ?? lines.last
        return line.map { String($0.drop { $0 != ":" }.dropFirst().drop { $0 == " " }) }.flatMap {
            $0.isEmpty ? line : $0
        }
            ?? "git says nothing more"
    }

    /// The remote's refs that the revision can mean; without one, `HEAD`.
    private func advertised(_ revision: String?) async throws -> [(id: String, name: String)] {
        let word = revision ?? "HEAD"
        guard !word.contains(where: { "*?[^~: ".contains($0) }), !word.hasPrefix("-") else { return [] }
        return try await advertised([word])
    }

    private func advertised(_ patterns: [String]) async throws -> [(id: String, name: String)] {
        let result = try await attempt(["ls-remote", "--quiet", "origin"] + patterns)
        return result.text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "\t").map(String.init)
            return parts.count == 2 ? (parts[0], parts[1]) : nil
        }
    }

    private func commit(_ revision: String?, _ refs: [(id: String, name: String)], digits: Int) async throws -> ObjectID
    {
        let word = revision ?? "HEAD"
        // git's own order (gitrevisions): the name as it is, tags, branches.
        for name in [word, "refs/\(word)", "refs/tags/\(word)", "refs/heads/\(word)"]
        where refs.contains(where: { $0.name == name }) {
            _ = try await attempt(fetching + ["--depth=1", "origin", "+\(name):refs/fetched"])
            return try await resolved("refs/fetched", word)
        }
        if word.utf8.count == digits, Hex.decode(word) != nil {
            let result = try await git.attempt(fetching + ["--depth=1", "origin", word])
            if result.status == 0 { return try await resolved(word, word) }
        }
        // Anything else needs history: short ids, main~3; and so does a server that gives no commits by their ids.
        _ = try await attempt(fetching + ["origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"])
        return try await resolved(word, word)
    }

    private var fetching: [String] {
        ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--filter=\(filter)"]
    }

    private func resolved(_ name: String, _ word: String) async throws -> ObjectID {
        let result = try await git.attempt(["rev-parse", "--quiet", "--verify", "--end-of-options", name + "^{commit}"])
        guard result.status == 0, let id = ObjectID(result.trimmed) else {
            throw OriginFailure.unknownRevision(word, address: address.shown)
        }
        return id
    }
}
