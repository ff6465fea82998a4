internal import ArgumentParser
internal import GitKit
internal import Pointers
internal import Storage

/// Which data files a command is about.
struct PathOptions: ParsableArguments {
    @Argument(help: "Files and folders; all without one.")
    var paths: [String] = []

    @OptionGroup var patterns: PatternOptions

    /// What the options say, else what the settings say; paths that were named are brought in any case.
    func filter(_ repository: Repository) throws -> FetchFilter {
        try patterns.filter(paths.isEmpty ? repository.lfsSettings() : nil)
    }
}

/// Which part of the data files is brought.
struct PatternOptions: ParsableArguments {
    @Option(
        name: [.customShort("I"), .long], parsing: .singleValue,
        help: "Only paths that match (patterns as in .gitignore, commas between them); instead of lfs.fetchinclude.")
    var include: [String] = []

    @Option(
        name: [.customShort("X"), .long], parsing: .singleValue,
        help: "Not paths that match; instead of lfs.fetchexclude.")
    var exclude: [String] = []

    var included: [String] { Self.list(include) }
    var excluded: [String] { Self.list(exclude) }

    /// What the options say; one that is not given is as the settings have it, or without limit.
    func filter(_ settings: LFSSettings?) -> FetchFilter {
        FetchFilter(
            include: include.isEmpty ? settings?.fetchInclude ?? [] : included,
            exclude: exclude.isEmpty ? settings?.fetchExclude ?? [] : excluded)
    }

    private static func list(_ options: [String]) -> [String] {
        options.flatMap { $0.split(separator: ",").map(String.init) }
    }
}
