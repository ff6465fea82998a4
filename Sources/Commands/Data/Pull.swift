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
            """)

    @OptionGroup var options: PathOptions

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
        if let failure { throw failure }
        print(paths.isEmpty ? "All data is here." : "brought \(paths.count) data file(s)")
    }
}

struct Checkout: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put content that is in this clone in the place of its pointers",
        discussion: """
            Asks no remote. Files that have been changed are left alone; a path that is named and not there is made.

              $ git ml checkout
              $ git ml checkout data/train.csv
            """)

    @Argument(help: "Files and folders; all without one.")
    var paths: [String] = []

    func run() async throws {
        let repository = try Repository.current()
        let tree = try WorkTreeData(repository, link: DataCommand(repository).project.data.link)
        let files = try await DataFiles(repository).inIndex(paths, in: ".")
        let waiting = try tree.waiting(files, orMissing: !paths.isEmpty)
        let done = try await tree.checkOut(waiting)
        print(waiting.isEmpty ? "All data is in place." : "checked out \(done.count) data file(s)")
        let missing = waiting.count - done.count
        if missing > 0 { print("\(missing) stay(s) a pointer: `git ml pull` brings the content.") }
    }
}
