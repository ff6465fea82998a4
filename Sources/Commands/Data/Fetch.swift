internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Storage
internal import SystemPackage

struct Fetch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring content into this clone without touching the work tree",
        discussion: """
            Brings what the current commit names; with --all what all of history names, with --recent what the branches that
            have lately moved name (lfs.fetchrecentrefsdays, 7 where it is not set).

              $ git ml fetch
              $ git ml fetch upstream --include 'data/**'
            """)

    @Argument(help: "The git remote whose data remote is asked.")
    var remote: String?

    @OptionGroup var patterns: PatternOptions

    @Flag(help: "Everything that any branch, tag or remote branch names.")
    var all = false

    @Flag(help: "Also what recent branches name.")
    var recent = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try Repository.current()
        let settings = try repository.lfsSettings()
        let filter = all ? FetchFilter() : patterns.filter(settings)
        let pointers = try await wanted(repository, days: settings.int("lfs.fetchrecentrefsdays") ?? 7, filter)
        var brought = try await DataCommand(repository).fetch(pointers, from: remote)
        let commits = try commits(repository, days: settings.int("lfs.fetchrecentrefsdays") ?? 7)
        brought += try await DatasetCommand(repository).fetch(commits, whole: all, from: remote) { filter.allows($0) }
        if json.isOn {
            for content in brought {
                print(["oid": .string(content.digest.description), "size": .int(content.size)] as JSON)
            }
        } else if brought.isEmpty {
            print("All content is here.")
        } else {
            print("fetched \(brought.count) object(s), \(ByteCount.format(brought.reduce(0) { $0 + $1.size }))")
        }
    }

    private func wanted(_ repository: Repository, days: Int, _ filter: FetchFilter) async throws -> [Pointer] {
        if all {
            return try PointerScan(repository).pointers(new: refs(repository), old: []).map(\.key)
        }
        var pointers: Set<Pointer> = []
        for commit in try commits(repository, days: days) {
            pointers.formUnion(
                try await DataFiles(repository).at(commit).filter { filter.allows($0.name) }.map(\.pointer))
        }
        return Array(pointers)
    }

    private func refs(_ repository: Repository) throws -> [ObjectID] {
        let refs = try repository.refs(below: "refs/").filter { ref in
            ["refs/heads/", "refs/tags/", "refs/remotes/"].contains { ref.name.hasPrefix($0) }
        }
        return repository.commits(refs.map(\.target))
    }

    /// The commits whose data is wanted; with --all every one.
    private func commits(_ repository: Repository, days: Int) throws -> Set<ObjectID> {
        if all {
            var found: Set<ObjectID> = []
            try repository.history(from: refs(repository)) { found.insert($0).inserted }
            return found
        }
        var commits = try repository.head().map { [$0] } ?? []
        if recent {
            let since = Timestamp.now().microseconds - Int64(days) * 86_400_000_000
            commits += try refs(repository).filter {
                try repository.commit($0).committer.time.microseconds >= since
            }
        }
        return Set(commits)
    }
}

/// What the commands on data share: the remote, the bar, the work tree.
struct DataCommand {
    let repository: Repository
    let project: Project

    init(_ repository: Repository) throws {
        self.repository = repository
        project = try Project.inWorkTree(of: repository)
    }

    /// The data remote of a git remote; without a name the usual one.
    func remote(_ name: String?) throws -> any ObjectRemote {
        let remotes = DataRemote(repository, project: project)
        return try name.map { try remotes.resolve($0) } ?? remotes.resolve()
    }

    /// Brings what is not here and returns it; asks no remote when nothing is missing.
    ///
    /// What the remote lacks is told of at the end, when all else has been brought.
    func fetch(_ pointers: [Pointer], from name: String?) async throws -> [ContentID] {
        let store = repository.contentStore
        let absent = Set(pointers.filter { $0.size > 0 && !store.contains($0.digest, size: $0.size) })
        if absent.isEmpty { return [] }
        for pointer in absent.sorted(by: { $0.digest < $1.digest }) {
            // The bytes of that digest are here, and as many as they are: then it is the pointer that is wrong.
            guard let size = Files.status(store.path(of: pointer.digest))?.size,
                try store.isWhole(pointer.digest) == true
            else { continue }
            throw StorageFailure.wrongSize(
                pointer.digest, said: pointer.size, size: size, place: store.path(of: pointer.digest).string)
        }
        let remote = try remote(name)
        let contents = absent.map { ContentID($0.digest, size: $0.size) }
        let present = try await remote.present(contents, for: .download)
        let bar = ProgressBar("fetching")
        defer { bar.finish() }
        try await Transfer(remote, store: store) { bar.advance(by: $0, of: $1) }.download(Array(present))
        let lost = contents.filter { !present.contains($0) }
        if !lost.isEmpty {
            bar.finish()
            if lost.count > 1 { Terminal.error("\(lost.count) objects are not at \(remote.address)") }
            throw await remote.failure(missing: lost)
        }
        return Array(present)
    }
}
