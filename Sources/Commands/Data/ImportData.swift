internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import SystemPackage

/// `git ml import URL PATH`: data out of another repository.
struct ImportData {
    let url: String
    let source: String
    let revision: String?
    let to: String?
    let force: Bool
    let json: Bool

    func run() async throws {
        let repository = try Repository.current()
        let here = Files.currentDirectory() ?? "/"
        let address = try OriginAddress(url, from: here)
        let target = OriginTarget.place(to, below: here, name: source, in: address)
        let path = try WorkTreePath.relative(target, in: repository)
        let bar = ProgressBar("fetching")
        defer { bar.finish() }
        let link = try Project.inWorkTree(of: repository).data.link
        let data = try DataImport(repository, link: link) { bar.advance(by: $0, of: $1) }
        let normal = source.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
        let outcome = try await data.add(address, normal, revision: revision, to: path, force: force)
        bar.finish()
        ImportReport(outcome).print(json: json)
    }
}

/// What a person sees of an import or an update.
struct ImportReport {
    private let outcome: DataImport.Outcome

    init(_ outcome: DataImport.Outcome) { self.outcome = outcome }

    func print(json: Bool) {
        let origin = outcome.origin
        for path in outcome.submodules {
            Terminal.error("git-ml: \(Terminal.safe(path)) is a submodule and is left out")
        }
        Swift.print(json ? object.description : Terminal.safe("\(origin.path): " + sentence))
    }

    private var sentence: String {
        let origin = outcome.origin
        let commit = String(origin.commit.prefix(10))
        if outcome.isUnchanged { return "up to date at \(commit)" }
        guard let before = outcome.before else {
            let files = outcome.isDataset || origin.path.hasSuffix("/") ? "\(outcome.files) file(s), " : ""
            return "imported \(files)\(ByteCount.format(outcome.size)) from \(origin.url) at \(commit)"
        }
        var parts: [String] = []
        for (count, word) in [(outcome.added, "added"), (outcome.changed, "changed"), (outcome.removed, "removed")]
        where count > 0 { parts.append("\(count) \(word)") }
        let what = parts.isEmpty ? "the same content" : parts.joined(separator: ", ")
        return "\(what) (\(before.prefix(10)) to \(commit))"
    }

    private var object: JSON {
        let origin = outcome.origin
        return .object([
            .init("path", .string(origin.path)), .init("url", .string(origin.url)),
            .init("source", .string(origin.source)), .init("rev", .optional(origin.revision)),
            .init("commit", .string(origin.commit)), .init("before", .optional(outcome.before)),
            .init("oid", .string(origin.digest.description)), .init("files", .int(Int64(outcome.files))),
            .init("size", .int(outcome.size)), .init("added", .int(Int64(outcome.added))),
            .init("changed", .int(Int64(outcome.changed))), .init("removed", .int(Int64(outcome.removed))),
        ])
    }
}

/// Paths on the command line, as the repository has them.
enum WorkTreePath {
    /// A path from the top of the work tree; empty for the top itself.
    ///
    /// Links among the folders that lead to it are looked through, not the last part itself.
    static func relative(_ path: FilePath, in repository: Repository) throws -> String {
        let top = try repository.requireWorkTree()
        let absolute = (Files.currentDirectory() ?? "/").pushing(path).lexicallyNormalized()
        for (top, path) in [(top, absolute), (real(top), absolute), (real(top), realFolder(absolute))] {
            var rest = path
            if rest == top { return "" }
            if rest.removePrefix(top) { return rest.string }
        }
        throw OutsideFailure(path: path.string, workTree: top.string)
    }

    private static func real(_ path: FilePath) -> FilePath {
        guard let text = path.withPlatformString({ realpath($0, nil) }) else { return path }
        defer { free(text) }
        return FilePath(platformString: text)
    }

    /// The path with links looked through in what is there of its folders.
    private static func realFolder(_ path: FilePath) -> FilePath {
        var folder = path.removingLastComponent()
        var rest = path.lastComponent.map { [$0] } ?? []
        while !Files.exists(folder), let last = folder.lastComponent {
            rest.insert(last, at: 0)
            folder = folder.removingLastComponent()
        }
        return real(folder).appending(rest)
    }
}

/// A path that is not in the work tree.
struct OutsideFailure: Failure {
    let path: String
    let workTree: String
    var kind: FailureKind { .user }
    var description: String { "\(path) is outside of the work tree \(workTree)" }
}
