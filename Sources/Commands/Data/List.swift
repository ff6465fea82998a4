internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import Storage
internal import SystemPackage

struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List data files",
        discussion: """
            Lists those of the index; with --revision those of a commit, with --all every content that any branch, tag or
            remote branch has named. With the address of another repository, and a path in it, lists its data; "here" then says
            whether the content is where that repository keeps it.

              $ git ml ls data
              $ git ml ls --revision v1.0 --json
              $ git ml ls https://github.com/acme/churn data --rev v1.2      of another repository
            """)

    @Argument(help: "Files and folders; all without one. Or the address of a repository, and a path in it.")
    var paths: [String] = []

    @Option(name: [.long, .customLong("rev")], help: "A commit, branch or tag.")
    var revision: String?

    @Flag(help: "Every content in all of history, with one of its paths.")
    var all = false

    @OptionGroup var json: JSONOption

    func validate() throws {
        if all, revision != nil || !paths.isEmpty { throw ValidationError("--all goes with no path and no revision") }
    }

    func run() async throws {
        if let first = paths.first, paths.count <= 2, !all, ListRemote.isMeant(first) {
            let path = paths.count > 1 ? paths[1] : nil
            return try await ListRemote(url: first, path: path, revision: revision, json: json.isOn).run()
        }
        let repository = try Repository.current()
        let store = repository.contentStore
        var table = Table(["oid", "size", "here", "file"])
        for file in try await files(repository) {
            let isPresent = store.contains(file.pointer.digest, size: file.pointer.size) || file.pointer.size == 0
            if json.isOn {
                print(DataFileLine.json(file.path, kind: "file", pointer: file.pointer, isPresent: isPresent))
            } else {
                table.add([
                    file.pointer.digest.short, ByteCount.format(file.pointer.size), isPresent ? "yes" : "no",
                    String(decoding: file.path, as: UTF8.self),
                ])
            }
        }
        for (dataset, pointer) in try await datasets(repository) {
            let isPresent = try dataset.missing(pointer).isEmpty
            if json.isOn {
                print(DatasetCommand.json(dataset.path, pointer, isPresent: isPresent))
            } else {
                table.add([
                    pointer.manifest.digest.short, ByteCount.format(pointer.size), isPresent ? "yes" : "no",
                    dataset.path + (pointer.kind == .folder ? "/ (\(pointer.files) files)" : " (dataset)"),
                ])
            }
        }
        if json.isOn { return }
        if table.isEmpty { print("No data files.") } else { table.print() }
    }

    private func datasets(_ repository: Repository) async throws -> [(Dataset, DatasetPointer)] {
        guard !all, repository.workTree != nil else { return [] }
        if let revision {
            return try DatasetScan(repository).pointers(in: repository.resolve(revision)).map {
                (try Dataset(repository, path: $0.path), $0.pointer)
            }
        }
        return try await DatasetCommand(repository).select(paths).compactMap { dataset in
            try dataset.pointer().map { (dataset, $0) }
        }
    }

    private func files(_ repository: Repository) async throws -> [(path: RepositoryPath, pointer: Pointer)] {
        if all {
            let tips = try ["refs/heads/", "refs/tags/", "refs/remotes/"].flatMap { try repository.refs(below: $0) }
                .map(\.target)
            return try PointerScan(repository).pointers(new: repository.commits(tips), old: [])
                .map { (Array($0.value.utf8), $0.key) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
        }
        let folder: FilePath? = repository.workTree == nil ? nil : "."
        let files = DataFiles(repository)
        let found: [DataFile]
        if let revision {
            found = try await files.at(repository.resolve(revision), paths, in: folder)
        } else if repository.workTree == nil {
            guard let head = try repository.head() else { return [] }
            found = try await files.at(head, paths)
        } else {
            found = try await files.inIndex(paths, in: folder)
        }
        return found.map { ($0.path, $0.pointer) }
    }
}

extension Repository {
    /// Those of the ids that are commits, or tags of them.
    func commits(_ ids: [ObjectID]) -> [ObjectID] { Array(Set(ids.compactMap { try? resolve($0.hex) })) }
}
