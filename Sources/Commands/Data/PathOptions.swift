internal import ArgumentParser
internal import GitKit
internal import Pointers
internal import Storage

/// Which data files a command is about.
struct PathOptions: ParsableArguments {
    @Argument(help: "Files and folders; all without one.")
    var paths: [String] = []

    @Option(
        name: [.customShort("I"), .long], parsing: .singleValue,
        help: "Only paths that match (patterns as in .gitignore, commas between them); instead of lfs.fetchinclude.")
    var include: [String] = []

    @Option(
        name: [.customShort("X"), .long], parsing: .singleValue,
        help: "Not paths that match; instead of lfs.fetchexclude.")
    var exclude: [String] = []

    /// The patterns of an option, each of which may hold several with commas between them.
    func patterns(_ options: [String]) -> [String] { options.flatMap { $0.split(separator: ",").map(String.init) } }

    /// What the options say, else what the settings say; paths that were named are brought in any case.
    func filter(_ repository: Repository) throws -> FetchFilter {
        let settings = try repository.lfsSettings()
        func list(_ options: [String], _ setting: [String]) -> [String] {
            if options.isEmpty { return paths.isEmpty ? setting : [] }
            return patterns(options)
        }
        return FetchFilter(
            include: list(include, settings.fetchInclude), exclude: list(exclude, settings.fetchExclude))
    }
}
