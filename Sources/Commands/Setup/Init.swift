internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Runs
internal import Storage
internal import SystemPackage

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Set a repository up: hooks, filter, notes options, ml.yaml",
        discussion: """
            Hooks that are there already are kept and run first. Run again it changes nothing.
            In a fresh clone it also fetches the recorded runs and brings the data.
            A bare repository gets the hook pre-receive: it refuses tags that ml.yaml of its default branch forbids, tags of
            models that are moved or deleted, records that would be lost, and pointers whose bytes are not at the data
            remote. When that does not answer, the push passes; `ml.checkData` is lenient (this), strict or off.

              $ git ml init
              $ git ml init --bare --runner    in the bare repository that people push to
              $ git config ml.checkData strict there: pushes fail while the data remote does not answer
              $ git ml init --remove           takes all of it out again
            """)

    @Flag(help: "Set up a bare repository that people push to.")
    var bare = false

    @Flag(help: "With --bare: wake a runner when a tag or branch is pushed.")
    var runner = false

    @Flag(help: "Take everything out again; ml.yaml and recorded runs stay.")
    var remove = false

    func validate() throws {
        if runner, !bare { throw ValidationError("--runner goes with --bare") }
    }

    func run() async throws {
        let repository = try Repository.current()
        if remove { return try await takeOut(repository) }
        if bare { return try await setUpServer(repository) }
        _ = try repository.requireWorkTree()
        try await Setup(repository).run { print($0) }
    }

    private func setUpServer(_ repository: Repository) async throws {
        if let workTree = repository.workTree { throw NotBare(workTree: workTree.string) }
        var changes: [String] = []
        for (key, value) in [("receive.fsckObjects", "true"), ("core.fsync", "committed,reference")] {
            if try repository.setting(key) == value { continue }
            try await repository.git("config", "--local", key, value)
            changes.append("set \(key) = \(value)")
        }
        // What pre-receive does now, an `update` of ours did before.
        changes += try await HookInstaller(repository).remove(["update"]).map { "removed the hook \($0)" }
        changes += try await HookInstaller(repository).install(HookInstaller.guardHooks).map {
            "installed the hook \($0)"
        }
        if runner {
            changes += try await HookInstaller(repository).install(HookInstaller.serverHooks).map {
                "installed the hook \($0)"
            }
        }
        for change in changes.isEmpty ? ["Everything was in place."] : changes { print(change) }
    }

    private func takeOut(_ repository: Repository) async throws {
        let hooks = try await HookInstaller(repository).remove(
            HookInstaller.clientHooks + HookInstaller.serverHooks + HookInstaller.guardHooks)
        for hook in hooks { print("removed the hook \(hook)") }
        let settings = try await GitSettings(repository: repository).remove()
        if !settings.isEmpty { print("removed the settings of filter, notes and fetch") }
        if hooks.isEmpty, settings.isEmpty { print("Nothing was set up here.") }
    }
}

/// Tells the stock git-lfs client not to fetch at clone: the bytes are at a data remote that it does not know.
enum LFSConfig {
    static let name = ".lfsconfig"

    /// Whether the file has to be written and has been; one that is there is left to its owner.
    static func write(_ workTree: FilePath) throws -> Bool {
        let file = workTree.appending(name)
        if Files.exists(file) { return false }
        try Files.replace(file, with: "[lfs]\n\tfetchexclude = *\n".utf8)
        return true
    }
}

/// A repository with a work tree where a bare one is meant.
struct NotBare: Failure {
    let workTree: String
    var kind: FailureKind { .user }
    var description: String { "\(workTree) has a work tree: --bare is for the repository that people push to" }
    var hints: [String] { ["run it in the bare repository, or run `git ml init` here"] }
}

/// What `init` and `clone` do to a repository with a work tree.
struct Setup {
    let repository: Repository

    init(_ repository: Repository) { self.repository = repository }

    func run(say: (String) -> Void) async throws {
        let workTree = try repository.requireWorkTree()
        let project = try Project.inWorkTree(of: repository)  // a bad ml.yaml is told of before anything changes
        var changed = false
        let installer = try await HookInstaller(repository)
        for hook in try await installer.install(HookInstaller.clientHooks) {
            say("installed the hook \(hook)")
            changed = true
        }
        if changed, let shared = installer.shared {
            say(
                "core.hooksPath of all repositories, \(shared.folder), is left alone: this one has its hooks in"
                    + " \(shared.own), which call those there first")
        }
        if try await !GitSettings(repository: repository).apply().isEmpty {
            say("set the options of filter, notes and fetch")
            changed = true
        }
        try CatchUp(repository, Hook.recorder(repository)).begin()
        let file = workTree.appending(Project.fileName)
        if !Files.exists(file) {
            try Files.replace(file, with: ProjectTemplate.text(repositoryID: UUIDv7().description).utf8)
            say("wrote \(Project.fileName)")
            changed = true
        }
        if !project.data.isAtGitRemote, try LFSConfig.write(workTree) {
            say("wrote .lfsconfig: commit it, so that a plain git clone does not look for the data at the git remote")
            changed = true
        }
        if try await bringData(project, say: say) { changed = true }
        if !changed { say("Everything was in place.") }
    }

    /// In a clone of something: fetches runs and replaces pointers by what they stand for.
    private func bringData(_ project: Project, say: (String) -> Void) async throws -> Bool {
        guard let head = try repository.head() else { return false }
        let remotes = try repository.remotes()
        guard let remote = remotes.contains("origin") ? "origin" : remotes.first else { return false }
        let hadRuns = try repository.ref("refs/notes/ml/runs")
        do {
            try await NotesSync(repository).fetch(remote)
        } catch {
            say("could not fetch the runs from \(remote): \(error)")
        }
        let place = DataRemote(repository, project: project)
        let data: any ObjectRemote
        do { data = try place.resolve(remote) } catch {
            // A remote that is no place for data, a bundle say, matters only where there is data.
            guard try PointerScan(repository).pointers(in: head).isEmpty,
                try DatasetScan(repository).pointers(in: head).isEmpty
            else { throw error }
            return try hadRuns != repository.ref("refs/notes/ml/runs")
        }
        let paths = try await place.checkOut(head, from: data)
        if !paths.isEmpty { say("brought \(paths.count) data file(s)") }
        let datasets = try DatasetCommand(repository)
        let absent = try await datasets.select([]).filter { !Files.exists($0.place) }
        try await datasets.tell(datasets.checkOut(absent), say: say)
        return try hadRuns != repository.ref("refs/notes/ml/runs") || !paths.isEmpty || !absent.isEmpty
    }
}
