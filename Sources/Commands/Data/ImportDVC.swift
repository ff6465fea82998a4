internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import SystemPackage

struct ImportDVC: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-dvc",
        abstract: "Take over the data that DVC tracks here",
        discussion: """
            Reads .dvc files and dvc.lock, and turns what they name into tracked files: pointers are staged, .gitattributes gets
            their patterns, .gitignore loses the lines by which DVC hides them. Content comes from the work tree where its MD5 is
            right, else from DVC's cache, else from DVC's remote (a folder, s3, azure, gs, ssh, http), so nothing is downloaded
            that is here. When some of it is nowhere, all of that is listed and nothing is changed. Files that differ from what DVC
            has last seen stay as they are and show as modified.

            With --dataset each folder becomes one dataset (a single pointer in git) instead of a pointer for each file.

              $ git ml import-dvc --dry-run
              $ git ml import-dvc
              $ git ml import-dvc data/images.dvc --remote backup --remove

            Exit statuses: 3 when content is nowhere, 5 when some does not have its MD5.
            """)

    @Argument(help: ".dvc files, dvc.lock, or files and folders that DVC tracks; without, all.")
    var paths: [String] = []

    @Option(help: "A remote of DVC's settings; without it, the default one.")
    var remote: String?

    @Flag(help: "Make each folder a dataset.")
    var dataset = false

    @Flag(help: "Remove the .dvc files of what was taken over.")
    var remove = false

    @Flag(help: "Only tell what would be taken over, and from where.")
    var dryRun = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try Repository.current()
        let names = try paths.map { try WorkTreePath.relative(FilePath($0), in: repository) }
        var options = DVCImport.Options()
        options.remote = remote
        options.removes = remove
        options.isDry = dryRun
        options.makesDatasets = dataset
        let bar = ProgressBar("reading")
        defer { bar.finish() }
        let outcome = try await DVCImport(repository) { bar.advance(by: $0, of: $1) }.run(names, options)
        bar.finish()
        if dataset, !dryRun {
            let top = try repository.requireWorkTree()
            let folders = outcome.taken.filter(\.isFolder).map { top.appending(FilePath($0.path).components).string }
            _ = try await DatasetCommand(repository).add(folders)
        }
        for (path, reason) in outcome.skipped {
            Terminal.error("git-ml: \(Terminal.safe(path)) is left out: \(Terminal.safe(reason))")
        }
        for path in outcome.changed {
            Terminal.error("git-ml: \(Terminal.safe(path)) is not what DVC has last seen; it was left as it is")
        }
        for taken in outcome.taken { print(json.isOn ? object(taken).description : sentence(taken)) }
        if !json.isOn { print(summary(outcome)) }
    }

    private func sentence(_ taken: DVCImport.Taken) -> String {
        let places = [
            (taken.fromWorkTree, "the work tree"), (taken.fromCache, "DVC's cache"), (taken.fromRemote, "DVC's remote"),
        ]
        .filter { $0.0 > 0 }
        let from = places.map { places.count == 1 ? $0.1 : "\($0.0) from \($0.1)" }.joined(separator: ", ")
        let files = taken.isFolder ? "\(taken.files) file(s), " : ""
        let origin = places.count == 1 ? ", from \(from)" : places.isEmpty ? "" : " (\(from))"
        return Terminal.safe(
            "\(taken.path)\(taken.isFolder ? "/" : ""): \(files)\(ByteCount.format(taken.size))\(origin)")
    }

    private func summary(_ outcome: DVCImport.Outcome) -> String {
        let files = outcome.taken.reduce(0) { $0 + $1.files }
        let size = ByteCount.format(outcome.taken.reduce(0) { $0 + $1.size })
        if dryRun { return "would take over \(files) file(s), \(size)" }
        let removed = outcome.removed.isEmpty ? "" : " and removed \(outcome.removed.count) .dvc file(s)"
        return "took over \(files) file(s), \(size)\(removed); look with `git status`, then commit"
    }

    private func object(_ taken: DVCImport.Taken) -> JSON {
        .object([
            .init("path", .string(taken.path)), .init("kind", taken.isFolder ? "folder" : "file"),
            .init("source", .string(taken.file)), .init("files", .int(Int64(taken.files))),
            .init("size", .int(taken.size)), .init("from_work_tree", .int(Int64(taken.fromWorkTree))),
            .init("from_cache", .int(Int64(taken.fromCache))), .init("from_remote", .int(Int64(taken.fromRemote))),
        ])
    }
}
