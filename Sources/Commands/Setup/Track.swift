internal import ArgumentParser
internal import GitKit
internal import Models
internal import Pointers

struct Track: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep files that match a pattern out of git's history",
        discussion: """
            Git then stores a pointer and git-ml the bytes. Quote patterns, so that the shell leaves them alone.
            Without patterns: lists what is tracked.

              $ git ml track 'data/*.csv' 'models/**'
            """)

    @Argument(help: "Patterns as in .gitattributes.")
    var patterns: [String] = []

    func run() throws {
        let attributes = Attributes(workTree: try Repository.current().requireWorkTree())
        if patterns.isEmpty {
            for pattern in try attributes.tracked() { print(pattern) }
            return
        }
        let new = try attributes.add(patterns)
        for pattern in patterns {
            print(new.contains(pattern) ? "tracking \(pattern)" : "\(pattern) was tracked already")
        }
    }
}

struct Untrack: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let git store files of a pattern itself again",
        discussion: """
              $ git ml untrack 'data/*.csv'
            """)

    @Argument(help: "Patterns as `git ml track` lists them.")
    var patterns: [String]

    func run() throws {
        let attributes = Attributes(workTree: try Repository.current().requireWorkTree())
        let gone = try attributes.remove(patterns)
        for pattern in patterns {
            print(gone.contains(pattern) ? "no longer tracking \(pattern)" : "\(pattern) was not tracked")
        }
    }
}

struct Pull: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the data that the work tree still has pointers for",
        discussion: """
              $ git ml pull
            """)

    func run() async throws {
        let repository = try Repository.current()
        guard let head = try repository.head() else { return print("Nothing is committed yet.") }
        let data = try DataRemote(repository, project: .inWorkTree(of: repository))
        let paths = try await data.checkOut(head, from: data.resolve())
        print(paths.isEmpty ? "All data is here." : "brought \(paths.count) data file(s)")
    }
}
