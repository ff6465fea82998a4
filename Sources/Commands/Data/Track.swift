internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import SystemPackage

struct Track: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep files that match a pattern out of git's history",
        discussion: """
            Git then stores a pointer and git-ml the bytes. Quote patterns, so that the shell leaves them alone.
            Without patterns: lists what is tracked.

              $ git ml track 'data/*.csv' 'models/**'
              $ git ml track --filename 'data/a[1].csv'
              $ git ml track --lockable '*.psd'
            """)

    @Argument(help: "Patterns as in .gitattributes.")
    var patterns: [String] = []

    @Flag(help: "The words are names of files, not patterns.")
    var filename = false

    @Flag(inversion: .prefixedNo, help: "Files of the patterns are read-only until they are locked.")
    var lockable: Bool?

    @OptionGroup var json: JSONOption

    func run() throws {
        let attributes = Attributes(workTree: try Repository.current().requireWorkTree())
        if patterns.isEmpty {
            for pattern in try attributes.patterns() {
                if json.isOn {
                    print(["pattern": .string(pattern.text), "lockable": .bool(pattern.isLockable)] as JSON)
                } else {
                    print(Terminal.safe(pattern.text) + (pattern.isLockable ? " (lockable)" : ""))
                }
            }
            return
        }
        let wanted = filename ? patterns.map { Attributes.literal($0) } : patterns
        let new = try attributes.add(wanted, lockable: lockable)
        for pattern in wanted {
            let isNew = new.contains(pattern)
            if json.isOn {
                print(["pattern": .string(pattern), "new": .bool(isNew)] as JSON)
            } else {
                print(Terminal.safe(isNew ? "tracking \(pattern)" : "\(pattern) was tracked already"))
            }
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

    @OptionGroup var json: JSONOption

    func run() throws {
        let attributes = Attributes(workTree: try Repository.current().requireWorkTree())
        let gone = try attributes.remove(patterns)
        for pattern in patterns {
            let wasTracked = gone.contains(pattern)
            if json.isOn {
                print(["pattern": .string(pattern), "removed": .bool(wasTracked)] as JSON)
            } else {
                print(Terminal.safe(wasTracked ? "no longer tracking \(pattern)" : "\(pattern) was not tracked"))
            }
        }
    }
}
