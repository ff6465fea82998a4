public import Base
public import SystemPackage

/// Where a file or folder came from; `git ml update` follows it.
public struct ImportOrigin: Hashable, Sendable {
    /// Where it is in this repository.
    public var path: String
    public var url: String
    /// Where it is in the other one; empty for all of it.
    public var source: String
    /// The revision that is followed; nil: the default branch.
    public var revision: String?
    /// The commit it was taken from.
    public var commit: String
    /// For a file the digest of its content, for a folder that of its list (``ImportedFiles/digest``).
    public var digest: Digest
}

/// `.ml/imports.yaml`: what was imported from other repositories.
///
/// A list of one line an import, sorted by path, each in YAML's flow style as JSON writes it:
///
///     - {"path":"data/train.csv","url":"https://example.com/data.git","source":"train.csv","rev":"main","commit":"5f3c…","oid":"sha256:9a1e…"}
///
/// `rev` is absent when the default branch is followed. `oid` is the content's digest; for a folder (whose `path` ends in a
/// slash) it is the SHA-256 of the lines `<oid> <size> <mode> <path>` with a zero byte at each one's end, sorted by path; for
/// a dataset (whose `path` is its pointer file) that of its manifest.
/// `.gitattributes` merges the file, and itself, by union, so that imports made on two branches do not meet in a conflict. When both have updated
/// the same one, its pointer conflicts; both lines are kept, and the one that says what the pointer says counts.
public struct ImportRecord: Sendable {
    public static let path = ".ml/imports.yaml"
    /// The second, because each import adds its pattern there.
    static let attributes = ["/.ml/imports.yaml merge=union", "/.gitattributes merge=union"]
    private static let heading =
        "# What `git ml import` brought from other repositories; `git ml update` follows it. One line an import.\n"

    /// In the order of the file; a path may stand there twice after a merge.
    public private(set) var origins: [ImportOrigin]
    private let file: FilePath

    public init(workTree: FilePath) throws {
        file = workTree.appending(FilePath(Self.path).components)
        origins = []
        for (i, line) in (try Files.readText(file) ?? "").split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = line.hasSuffix("\r") ? line.dropLast() : line
            if line.isEmpty || line.hasPrefix("#") { continue }
            func bad(_ reason: String) -> OriginFailure { .badRecord(line: i + 1, reason: reason) }
            guard line.hasPrefix("- "), let json = try? JSON.parse(String(line.dropFirst(2))) else {
                throw bad("this is no line of an import")
            }
            guard let path = json["path"]?.string, let url = json["url"]?.string, let source = json["source"]?.string,
                let commit = json["commit"]?.string, let digest = json["oid"]?.string.flatMap({ Digest($0) })
            else { throw bad("an import needs path, url, source, commit and oid") }
            var name = path
            if name.hasSuffix("/") { name.removeLast() }
            if let problem = OriginPath.problem(Array(name.utf8)) { throw bad("the path “\(path)” \(problem)") }
            origins.append(
                ImportOrigin(
                    path: path, url: url, source: source, revision: json["rev"]?.string, commit: commit, digest: digest)
            )
        }
    }

    /// Puts one in, in place of all that were there for its path.
    public mutating func set(_ origin: ImportOrigin) {
        origins.removeAll { DataImport.name($0.path) == DataImport.name(origin.path) }
        origins.append(origin)
    }

    public func write() throws {
        let lines = origins.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }.map { origin in
            var members = [
                JSON.Member("path", .string(origin.path)), JSON.Member("url", .string(origin.url)),
                JSON.Member("source", .string(origin.source)),
            ]
            if let revision = origin.revision { members.append(JSON.Member("rev", .string(revision))) }
            members.append(JSON.Member("commit", .string(origin.commit)))
            members.append(JSON.Member("oid", .string(origin.digest.description)))
            return "- " + JSON.object(members).description + "\n"
        }
        let text = Self.heading + lines.joined()
        if try Files.readText(file) != text { try Files.replace(file, with: text.utf8) }
    }
}
