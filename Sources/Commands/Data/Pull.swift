internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Storage
internal import SystemPackage

struct Pull: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the data that the work tree still has pointers for",
        discussion: """
              $ git ml pull
              $ git ml pull data --include '*.csv'
              $ git ml pull data/images --include 'cat/*'    only a part of a dataset; later pulls bring the same part
              $ git ml pull data/images --all                the whole of it again
            """)

    @OptionGroup var options: PathOptions

    @Flag(help: "Of datasets the whole, whatever patterns an earlier pull was given.")
    var all = false

    @Flag(help: "Overwrite files of datasets that have been changed.")
    var force = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try Repository.current()
        _ = try repository.requireWorkTree()
        let command = try DataCommand(repository)
        let filter = try options.filter(repository)
        let tree = try WorkTreeData(repository, link: command.project.data.link)
        let files = try await DataFiles(repository).inIndex(options.paths, in: ".").filter { filter.allows($0.name) }
        let waiting = try tree.waiting(files, orMissing: false)
        var failure: (any Error)?
        do { _ = try await command.fetch(waiting.map(\.pointer), from: nil) } catch { failure = error }
        // What did come is put in place, whatever else is missing.
        let paths = try await tree.checkOut(waiting)
        if json.isOn { for file in paths { print(file.placedJSON) } }
        if let failure { throw failure }
        let datasets = try DatasetCommand(repository)
        let chosen = try await datasets.select(options.paths)
        if all { for dataset in chosen { try dataset.setSelection(PathSelection()) } }
        let results = try await datasets.checkOut(
            chosen, include: options.patterns.included, exclude: options.patterns.excluded, force: force)
        if json.isOn { return try datasets.tellJSON(results) }
        let isQuiet = paths.isEmpty && results.allSatisfy { $0.result.written == 0 && $0.result.removed == 0 }
        if !paths.isEmpty { print("brought \(paths.count) data file(s)") }
        try datasets.tell(results) { print($0) }
        if isQuiet { print("All data is here.") }
    }
}

struct Checkout: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put content that is in this clone in the place of its pointers",
        discussion: """
            Asks no remote. Files that have been changed are left alone; a path that is named and not there is made.

            `data.link` in ml.yaml says how files stand there: `reflink` (else a copy), `copy`, or `hardlink`, which saves
            the room of a copy and makes them read-only: to change one, put a new file in its place. With `symlink` the
            files of datasets are symbolic links, all others hard links. Files of datasets that stand otherwise are made
            anew.

              $ git ml checkout
              $ git ml checkout data/train.csv
            """)

    @Argument(help: "Files and folders; all without one.")
    var paths: [String] = []

    @Flag(help: "Overwrite files of datasets that have been changed.")
    var force = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try Repository.current()
        let tree = try WorkTreeData(repository, link: DataCommand(repository).project.data.link)
        let files = try await DataFiles(repository).inIndex(paths, in: ".")
        let waiting = try tree.waiting(files, orMissing: !paths.isEmpty)
        let done = try await tree.checkOut(waiting)
        let datasets = try DatasetCommand(repository)
        let results = try await datasets.checkOut(datasets.select(paths), force: force, asks: false)
        if json.isOn {
            for file in done { print(file.placedJSON) }
            return try datasets.tellJSON(results)
        }
        let isQuiet = waiting.isEmpty && results.allSatisfy { $0.result.written == 0 && $0.result.removed == 0 }
        if !waiting.isEmpty { print("checked out \(done.count) data file(s)") }
        let missing = waiting.count - done.count
        if missing > 0 { print("\(missing) stay(s) a pointer: `git ml pull` brings the content.") }
        try datasets.tell(results) { print($0) }
        if isQuiet { print("All data is in place.") }
    }
}

extension DataFile {
    /// A file whose content was put in place.
    fileprivate var placedJSON: JSON {
        DataFileLine.json(path, kind: "file", pointer: pointer, isPresent: true)
    }
}

extension DatasetCommand {
    /// What a checkout did, a line for each dataset: `path` `kind` `written` `removed` `bytes`.
    fileprivate func tellJSON(_ results: [(dataset: Dataset, result: DatasetCheckedOut)]) throws {
        for (dataset, result) in results {
            let line: JSON = [
                "path": .string(dataset.path), "kind": "dataset", "written": .int(Int64(result.written)),
                "removed": .int(Int64(result.removed)), "bytes": .int(result.bytes),
            ]
            print(line)
        }
        try tell(results) { _ in }
    }
}
