internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import Runs
internal import Storage
internal import SystemPackage

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn files of past commits into pointers, or pointers into files",
        discussion: """
            Rewrites history: everybody who has a clone must fetch it anew. Commits that a remote has are left alone unless
            --everything is given, which rewrites all branches and tags. Recorded runs go along to the new commits.

              $ git ml migrate import --include '*.csv'
              $ git ml migrate import --above 50MB --everything
              $ git ml migrate export --include '*.csv'
            """,
        subcommands: [ImportFiles.self, ExportFiles.self])
}

extension Migrate {
    struct ImportFiles: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import", abstract: "Make pointers of files that past commits hold")
        @OptionGroup var options: MigrateOptions
        func validate() throws {
            if options.include.isEmpty, options.above == nil {
                throw ValidationError("give --include, --above or both")
            }
        }
        func run() async throws { try await options.run(.importing) }
    }

    struct ExportFiles: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export", abstract: "Put content in the place of pointers in past commits")
        @OptionGroup var options: MigrateOptions
        func validate() throws {
            if options.include.isEmpty { throw ValidationError("give --include; '*' means all") }
        }
        func run() async throws { try await options.run(.exporting) }
    }
}

struct MigrateOptions: ParsableArguments {
    @Option(
        name: [.customShort("I"), .long], parsing: .singleValue, help: "Patterns as in .gitignore, commas between them."
    )
    var include: [String] = []

    @Option(help: "Only files larger than this.", transform: Self.size)
    var above: Int64?

    @Flag(help: "All branches and tags, what remotes have included.")
    var everything = false

    @OptionGroup var json: JSONOption

    private static func size(_ text: String) throws -> Int64 {
        guard let bytes = ByteCount.parse(text) else { throw ValidationError("“\(text)” is no size such as 50MB") }
        return bytes
    }

    func run(_ direction: Migration.Direction) async throws {
        let repository = try Repository.current()
        if repository.workTree != nil {
            let status = try await repository.git("status", "--porcelain", "--untracked-files=no")
            if !status.isEmpty { throw MigrationFailure.dirty }
        }
        let refs = try await refs(repository)
        // Options among the names on standard input are newer than the git that we ask for.
        let hidden = everything ? [] : ["--not", "--remotes"]
        let list = try await repository.git.bytes(
            ["rev-list", "--topo-order", "--reverse"] + (everything ? ["--stdin"] : refs.map(\.name) + hidden),
            input: everything ? Array((refs.map(\.name).joined(separator: "\n") + "\n").utf8) : [])
        let commits = String(decoding: list, as: UTF8.self).split(separator: "\n").compactMap { ObjectID($0) }
        if commits.isEmpty { throw MigrationFailure.nothingNamed }
        let patterns = include.flatMap { $0.split(separator: ",").map(String.init) }
        let migration = Migration(repository, direction, include: patterns, above: above)
        if direction == .exporting { try await bring(repository, commits, FetchFilter(include: patterns)) }
        try migration.rewrite(commits)
        try await move(refs, migration, repository)
        let changed = commits.compactMap { old in migration.map[old].flatMap { $0 == old ? nil : (old: old, new: $0) } }
        try await carryRuns(changed, repository)
        show(changed)
    }

    private func refs(_ repository: Repository) async throws -> [(name: String, target: ObjectID)] {
        if everything {
            return try (repository.refs(below: "refs/heads/") + repository.refs(below: "refs/tags/"))
                .map { ($0.name, $0.target) }
        }
        let branch = try await repository.git.attempt(["symbolic-ref", "--quiet", "HEAD"]).trimmed
        guard let target = try repository.ref(branch) else { throw MigrationFailure.nothingNamed }
        return [(branch, target)]
    }

    /// What is to stand in history again must be here.
    private func bring(_ repository: Repository, _ commits: [ObjectID], _ filter: FetchFilter) async throws {
        let pointers = try PointerScan(repository).pointers(new: commits, old: []).filter { filter.allows($0.value) }
        _ = try await DataCommand(repository).fetch(pointers.map(\.key), from: nil)
    }

    /// All refs at once or none; then the index and the work tree follow.
    private func move(
        _ refs: [(name: String, target: ObjectID)], _ migration: Migration, _ repository: Repository
    ) async throws {
        var input = ""
        for ref in refs {
            let id = try await repository.git.run(["rev-parse", "--verify", ref.name]).trimmingTrailingSpace
            guard let old = ObjectID(id) else { continue }
            let new = try migration.target(of: old)
            if new != old { input += "update \(ref.name) \(new) \(old)\n" }
        }
        if input.isEmpty { return }
        try await repository.git.run(["update-ref", "-m", "git ml migrate", "--stdin"], input: Array(input.utf8))
        if repository.workTree != nil { try await repository.git("reset", "--quiet", "--hard") }
    }

    private func carryRuns(_ changed: [(old: ObjectID, new: ObjectID)], _ repository: Repository) async throws {
        let log = RunLog(repository)
        var copies: [ObjectID: [String]] = [:]
        var noted: [ObjectID] = []
        for (old, new) in changed {
            let lines = try log.carried(from: old, to: new)
            if lines.isEmpty { continue }
            copies[new, default: []] += lines
            noted.append(old)
        }
        if copies.isEmpty { return }
        try log.add(copies, message: "runs: migrate")
        try await KeptCommits(repository).keepUnreachable(noted: noted)
    }

    private func show(_ changed: [(old: ObjectID, new: ObjectID)]) {
        for (old, new) in changed {
            print(
                json.isOn ? ["old": .string(old.hex), "new": .string(new.hex)] as JSON : .string("\(old) \(new)"), json)
        }
        if json.isOn { return }
        print(changed.isEmpty ? "No commit has such a file." : "rewrote \(changed.count) commit(s)")
    }

    private func print(_ line: JSON, _ json: JSONOption) {
        Swift.print(json.isOn ? line.description : line.string ?? "")
    }
    private func print(_ line: String) { Swift.print(line) }
}
