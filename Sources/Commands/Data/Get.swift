internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import SystemPackage

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring a file or folder out of another repository, without a clone of it",
        discussion: """
            Works anywhere, in a repository or not. Of the other repository only this commit's list of files and the wanted
            files are fetched; tracked files come with their content, from wherever that repository keeps its data, and are
            verified. Nothing in it is run: no hooks, no filters. Links that lead out of what is brought are refused.

              $ git ml get https://github.com/acme/churn models/churn.joblib
              $ git ml get git@example.com:acme/data.git images/2026 --rev v1.2 --to /data/images
              $ git ml get ../other .                                     all of it

            Exit statuses: 1 when something else is there already, 3 when there is no such file, revision or content, 4 when the
            repository or its data cannot be reached, 5 when content does not match its digest.
            """)

    @Argument(help: "The other repository: any address that git takes.")
    var url: String

    @Argument(help: "A file or folder in it; . for all.")
    var path: String

    @OptionGroup var revision: RevisionOption

    @Option(help: "Where to put it; a folder that is there gets it below its own name.")
    var to: String?

    @Flag(help: "Replace what is there.")
    var force = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let here = Files.currentDirectory() ?? "/"
        let address = try OriginAddress(url, from: here)
        let other = try await OtherRepository.open(address, revision: revision.rev)
        let selection = try await other.select(path)
        for path in selection.submodules {
            Terminal.error("git-ml: \(Terminal.safe(path)) is a submodule and is left out")
        }
        let name = selection.dataset == nil ? path : OriginSelection.name(ofDataset: path)
        for path in selection.nestedDatasets {
            Terminal.error("git-ml: \(Terminal.safe(path)) is the pointer of a dataset; its files come by its own name")
        }
        let target = OriginTarget.place(to, below: here, name: name, in: address)
        let cache = try OriginCache(in: Self.cacheFolder(), for: [address.text, selection.path, target.string])
        let bar = ProgressBar("fetching")
        defer { bar.finish() }
        let copy = OriginCopy(other, store: cache.store) { bar.advance(by: $0, of: $1) }
        let outcome = try await copy.write(selection, to: target, force: force)
        cache.remove()
        bar.finish()
        let shown = OriginTarget.shown(target, from: here)
        if json.isOn {
            print(
                JSON.object([
                    .init("path", .string(target.string)), .init("url", .string(address.shown)),
                    .init("source", .string(selection.path)), .init("commit", .string(other.commit.hex)),
                    .init("files", .int(Int64(outcome.files))), .init("size", .int(outcome.size)),
                    .init("unchanged", .bool(outcome.isUnchanged)),
                ]))
        } else if outcome.isUnchanged {
            print("\(Terminal.safe(shown)) is there already, the same as in \(other.commit.short)")
        } else {
            let files = selection.isFolder || selection.dataset != nil ? "\(outcome.files) file(s), " : ""
            print(
                "brought \(Terminal.safe(shown)): \(files)\(ByteCount.format(outcome.size)), from \(other.commit.short)"
            )
        }
    }

    /// Where downloads wait that were interrupted: in the repository, else in the user's cache.
    private static func cacheFolder() -> FilePath {
        if let repository = try? Repository.current() {
            return repository.mlDirectory.appending("cache").appending("get")
        }
        func folder(_ name: String) -> FilePath? { environmentValue(name).flatMap { $0.isEmpty ? nil : FilePath($0) } }
        let base = folder("XDG_CACHE_HOME") ?? folder("HOME")?.appending(".cache") ?? folder("TMPDIR") ?? "/tmp"
        return base.appending("git-ml").appending("get")
    }
}

/// The option that names a revision of another repository.
struct RevisionOption: ParsableArguments {
    @Option(help: "A branch, tag or commit of the other repository; without it, its default branch.")
    var rev: String?
}

/// Where things out of other repositories go.
enum OriginTarget {
    /// The place for `--to`, or the thing's own name in the folder, as `cp` finds it.
    static func place(_ to: String?, below folder: FilePath, name path: String, in address: OriginAddress) -> FilePath {
        let last = path.split(separator: "/").last.map(String.init) ?? ""
        let name = ["", ".", ".."].contains(last) ? address.name : last
        guard let to else { return folder.appending(name) }
        let target = folder.pushing(FilePath(to)).lexicallyNormalized()
        return to.hasSuffix("/") || isFolder(target) ? target.appending(name) : target
    }

    private static func isFolder(_ path: FilePath) -> Bool {
        var folder = path
        // A link to a folder is one too.
        if Files.status(folder)?.kind == .link { folder = folder.appending(".") }
        return Files.status(folder)?.kind == .directory
    }

    static func shown(_ path: FilePath, from folder: FilePath) -> String {
        var rest = path
        return rest.removePrefix(folder) ? rest.string : path.string
    }
}
