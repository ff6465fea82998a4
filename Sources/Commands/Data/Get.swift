internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import SystemPackage

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring a file, a folder or a model out of a repository, without a clone of it",
        discussion: """
            Works anywhere, in a repository or not. Of the other repository only this commit's list of files and the wanted
            files are fetched; tracked files come with their content, from wherever that repository keeps its data, and are
            verified. Nothing in it is run: no hooks, no filters. Links that lead out of what is brought are refused.

              $ git ml get https://github.com/acme/churn models/churn.joblib
              $ git ml get git@example.com:acme/data.git images/2026 --rev v1.2 --to /data/images
              $ git ml get ../other .                                     all of it

            A model goes by a version or stage, in this repository or another: its bytes alone are fetched.

              $ git ml get 'churn#prod' --to /srv/models
              $ git ml get https://github.com/acme/churn churn@v1.2.0

            Exit statuses: 1 when something else is there already, 3 when there is no such file, revision or content, 4 when the
            repository or its data cannot be reached, 5 when content does not match its digest.
            """)

    @Argument(
        help: "The other repository: any address that git takes. Or a model of this one: NAME@VERSION, NAME#STAGE.")
    var url: String

    @Argument(help: "A file or folder in it, . for all; or a model: NAME@VERSION, NAME#STAGE, models:/NAME/N.")
    var path: String?

    @OptionGroup var revision: RevisionOption

    @Option(help: "Where to put it; a folder that is there gets it below its own name. For a model always a folder.")
    var to: String?

    @Flag(help: "Replace what is there.")
    var force = false

    @OptionGroup var json: JSONOption

    func validate() throws {
        guard path == nil else { return }
        // `team:churn#prod` could be a host and a path as well, but without a path in it there is nothing to bring from one.
        guard let model = try? ModelAddress(url), !model.isBare || !OriginAddress.names(url) else {
            throw ValidationError("name a file or folder of \(url), or a model of this repository such as NAME#STAGE")
        }
        guard revision.rev == nil else {
            throw ValidationError("a model's version or stage names its commit, not --rev")
        }
    }

    func run() async throws {
        let here = Files.currentDirectory() ?? "/"
        let model = try await model(from: here)
        let address = try model?.other.address ?? OriginAddress(url, from: here)
        let path = model?.path ?? path ?? "."
        var other = model?.other
        if other == nil { other = try await OtherRepository.open(address, revision: revision.rev) }
        guard let other else { return }
        let selection = try await other.select(path)
        for path in selection.submodules {
            Terminal.error("git-ml: \(Terminal.safe(path)) is a submodule and is left out")
        }
        let name = selection.dataset == nil ? path : OriginSelection.name(ofDataset: path)
        for path in selection.nestedDatasets {
            Terminal.error("git-ml: \(Terminal.safe(path)) is the pointer of a dataset; its files come by its own name")
        }
        // A model goes into the folder that is named, whether it is there or not.
        let place = model == nil ? to : to.map { $0 + "/" }
        let target = OriginTarget.place(place, below: here, name: name, in: address)
        let cache = try OriginCache(in: Self.cacheFolder(), for: [address.text, selection.path, target.string])
        let bar = ProgressBar("fetching")
        defer { bar.finish() }
        let copy = OriginCopy(other, store: cache.store) { bar.advance(by: $0, of: $1) }
        let outcome = try await copy.write(selection, to: target, force: force)
        cache.remove()
        bar.finish()
        let shown = OriginTarget.shown(target, from: here)
        let origin = (model.map { "\($0.resolved.name) \($0.resolved.label) at " } ?? "") + other.commit.short
        if json.isOn {
            print(
                JSON.object([
                    .init("path", .string(target.string)), .init("url", .string(address.shown)),
                    .init("source", .string(selection.path)), .init("commit", .string(other.commit.hex)),
                    .init("model", .optional(model.map { "\($0.resolved.name)" })),
                    .init("version", .optional(model?.resolved.version.map { "\($0.version)" })),
                    .init("stage", .optional(model?.resolved.stage)),
                    .init("files", .int(Int64(outcome.files))), .init("size", .int(outcome.size)),
                    .init("unchanged", .bool(outcome.isUnchanged)),
                ]))
        } else if outcome.isUnchanged {
            print("\(Terminal.safe(shown)) is there already, the same as in \(origin)")
        } else {
            let files = selection.isFolder || selection.dataset != nil ? "\(outcome.files) file(s), " : ""
            print(
                "brought \(Terminal.safe(shown)): \(files)\(ByteCount.format(outcome.size)), from \(origin)"
            )
        }
    }

    /// The model that was asked for; nil when it is a file or folder.
    private func model(from here: FilePath) async throws -> OriginModel? {
        guard let path else {
            let models = try ModelProject.current()
            let resolved = try ModelAddress(url).resolve(in: models.registry, declared: models.project.models.keys)
            let origin = try OriginAddress(models.repository.commonDirectory.string, from: here)
            return try await OriginModel.find(resolved, at: origin, path: models.path(of: resolved.name))
        }
        guard let address = try? ModelAddress(path), !address.isBare, revision.rev == nil else { return nil }
        // A file may be called so too.
        return try await OriginModel.find(address, at: OriginAddress(url, from: here))
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
