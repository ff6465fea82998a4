internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import SystemPackage

struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Add files as data: the bytes to the store, pointers to the index",
        discussion: """
            Does what `git add` does for tracked files, without the filter and on all cores. A file or folder that no pattern
            covers is tracked first (see `git ml track`). Of `.` only files that patterns cover, and large ones, become data.

            A path that is a dataset already, or a folder with datasets in it, has those added too.

            With --dataset a folder, or one large file that changes a little, becomes one pointer file `NAME.dataset`: for folders of
            many files. Only what is new is stored; git ignores the folder.

              $ git ml add data/train.parquet models
              $ git ml add --dataset data/images
              $ git ml add --json data
            """)

    @Argument(help: "Files and folders.")
    var paths: [String]

    @Flag(help: "Each path is one dataset: a single pointer in git.")
    var dataset = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try Repository.current()
        if dataset { return try await addDatasets(paths, repository) }
        let (datasets, paths) = try await self.datasets(repository)
        if !datasets.isEmpty { try await addDatasets(datasets, repository) }
        if paths.isEmpty { return }
        let project = try Project.inWorkTree(of: repository)
        let outcome = try await FileAddition(repository, settings: project.data).run(paths, in: ".")
        if json.isOn {
            for (path, pointer) in outcome.added {
                print(DataFileLine.json(path, kind: "file", pointer: pointer, isPresent: true))
            }
            return
        }
        for pattern in outcome.tracked { print("tracking \(Terminal.safe(pattern))") }
        let bytes = outcome.added.reduce(0) { $0 + $1.pointer.size }
        if !outcome.added.isEmpty { print("added \(outcome.added.count) file(s), \(ByteCount.format(bytes))") }
        if !outcome.plain.isEmpty { print("git itself keeps \(outcome.plain.count) file(s)") }
        if !outcome.removed.isEmpty { print("removed \(outcome.removed.count) file(s)") }
        if outcome.added.isEmpty, outcome.plain.isEmpty, outcome.removed.isEmpty, datasets.isEmpty {
            print("Nothing has changed.")
        }
    }
}

extension Add {
    /// The datasets at, around and below the paths, as paths of their own; and the paths that are not inside one.
    private func datasets(_ repository: Repository) async throws -> (datasets: [String], paths: [String]) {
        let command = try DatasetCommand(repository)
        var found: [String: String] = [:]
        var rest: [String] = []
        for path in paths {
            let own = try? Dataset.named(path, in: repository)
            var isInside = false
            let candidates = try await command.select([path]) + (own.map { [$0] } ?? [])
            for dataset in candidates where Files.exists(dataset.place) {
                guard !path.hasSuffix(DatasetPointer.suffix), try dataset.pointer() != nil else { continue }
                found[dataset.path] = dataset.place.string
                if let own, own.path == dataset.path || own.path.hasPrefix(dataset.path + "/") { isInside = true }
            }
            if !isInside { rest.append(path) }
        }
        return (found.sorted { $0.key < $1.key }.map(\.value), rest)
    }

    private func addDatasets(_ paths: [String], _ repository: Repository) async throws {
        for (dataset, result) in try await DatasetCommand(repository).add(paths) {
            try await dataset.exceptFromTracking(repository)
            if json.isOn {
                print(DatasetCommand.json(dataset.path, result.pointer, isPresent: true))
            } else if result.isChanged {
                let size = ByteCount.format(result.pointer.size)
                print(
                    "added \(Terminal.safe(dataset.path)): \(result.pointer.files) file(s), \(size), "
                        + "\(ByteCount.format(result.newBytes)) new")
            } else {
                print("\(Terminal.safe(dataset.path)) has not changed.")
            }
        }
    }
}

/// A data file as `--json` shows it: `path` `kind` `oid` `size` `present`.
enum DataFileLine {
    static func json(_ path: RepositoryPath, kind: String, pointer: Pointer, isPresent: Bool?) -> JSON {
        [
            "path": .string(String(decoding: path, as: UTF8.self)), "kind": .string(kind),
            "oid": .string(pointer.digest.description), "size": .int(pointer.size),
            "present": isPresent.map { .bool($0) } ?? .null,
        ]
    }
}
