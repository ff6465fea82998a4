internal import Base
public import GitKit
public import SystemPackage

/// A runner's own bare copy of a remote repository, below its state.
public enum Mirror {
    /// Whether a `--repo` names a repository elsewhere, and not a folder of this machine.
    public static func isAddress(_ text: String) -> Bool {
        if text.contains("://") { return true }
        guard let colon = text.firstIndex(of: ":"), !Files.exists(FilePath(text)) else { return false }
        return !text[..<colon].contains("/")  // git's own rule for `host:path`
    }

    /// A folder name for an address; different addresses never share one.
    public static func name(_ address: String) -> String {
        let last = address.split(whereSeparator: { "/:".contains($0) }).last ?? "repository"
        let plain = last.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
        return "\(plain)-\(Digest.of(address).hex.prefix(12))"
    }

    /// The copy of `address` in `folder`, made when it is not there yet.
    ///
    /// The first pass brings its content.
    public static func open(_ address: String, in folder: FilePath) async throws -> Repository {
        if let repository = try existing(folder) { return repository }
        let git = Git(in: folder.removingLastComponent())
        let incoming = folder.removingLastComponent().appending("incoming-\(UUIDv7()).git")
        try Files.makeDirectory(folder.removingLastComponent())
        defer { try? Files.removeTree(incoming) }
        let format = try await objectFormat(address, git)
        try await git("init", "--quiet", "--bare", "--object-format=\(format)", "--end-of-options", incoming.string)
        let own = Git(in: incoming)
        try await own("config", "remote.origin.url", address)
        try await own("config", "ml.mirror", "true")
        try await own("config", "fetch.fsckObjects", "true")
        try await own("config", "gc.auto", "0")
        do { try Files.rename(incoming, to: folder) } catch  where Files.exists(folder) {}
        return try Repository(folder)
    }

    /// The copy that was made before; nil when there is none.
    public static func existing(_ folder: FilePath) throws -> Repository? {
        Files.exists(folder.appending("HEAD")) ? try Repository(folder) : nil
    }

    /// SHA-256 ids are longer; an empty or old remote is taken for SHA-1.
    private static func objectFormat(_ address: String, _ git: Git) async throws -> String {
        let answer = try await git("ls-remote", "--end-of-options", address)
        return (answer.split(separator: "\t").first?.count ?? 40) > 40 ? "sha256" : "sha1"
    }

    static func isMirror(_ repository: Repository) throws -> Bool { try repository.setting("ml.mirror") == "true" }
}
