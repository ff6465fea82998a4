public import Base
public import GitKit
internal import Pointers
public import Storage
public import SystemPackage

/// Runs a recorded command again, from the recorded code and data, and compares what comes of it.
public struct Reproduction: Sendable {
    /// On the new run: the run that it repeats.
    public static let reproducesTag = "git-ml.reproduces"
    /// On the old run: the last run that repeated it.
    public static let reproducedByTag = "git-ml.reproduced-by"
    /// On the new run: what came of it.
    public static let verdictTag = "git-ml.verdict"

    /// What the person asks for.
    public struct Wish: Sendable {
        /// Whether the environment is rebuilt from the lock file.
        public var rebuildsEnvironment = false
        /// The largest relative difference of a metric that counts as none.
        public var tolerance = 0.0
        /// Whether the work tree stays.
        public var keepsWorktree = false
        /// Run in place of the recorded command.
        public var command: [String] = []
        /// Where the command's standard output goes.
        public var output = FileDescriptor.standardOutput
        /// The whole environment of the command; nil: this process's.
        public var environment: [String: String]?
        /// Makes, for the work tree that the command will run in, what is put around it; nil: nothing.
        public var enclosure: (@Sendable (FilePath) throws -> Enclosure)?

        public init() {}
    }

    private let owner: Repository
    private let run: Run
    private let settings: RecordSettings
    private let modelPaths: [String]
    private let inputs: ReproductionInputs

    /// `settings` and `modelPaths` are those of the run's code; `remote` is where data is brought from, nil for a
    /// repository without a remote.
    public init(
        of run: Run, in owner: Repository, settings: RecordSettings, modelPaths: [String],
        remote: (any ObjectRemote)?
    ) {
        self.run = run
        self.owner = owner
        self.settings = settings
        self.modelPaths = modelPaths
        inputs = ReproductionInputs(owner: owner, remote: remote ?? DirectoryRemote(owner.contentStore.root))
    }

    /// Does it all but link the two runs; `say` is told what happens, for the person who waits.
    ///
    /// What keeps the command from running as it was is a reason in the report; a failure is thrown only for what has
    /// nothing to do with the run, and for a command that nobody knows.
    public func run(_ wish: Wish, say: @escaping @Sendable (String) -> Void) async throws -> ReproductionReport {
        let command = try command(wish)
        var report = ReproductionReport(run, tolerance: wish.tolerance)
        guard (try? owner.commit(run.commit)) != nil else {
            report.reasons = ["the code \(run.commit.short) is not in this clone: `git ml sync`, then try again"]
            return report
        }
        try await inputs.fetch(run.commit)
        let worktree = try await ScratchWorktree.make(run.commit, in: owner)
        let path = worktree.path
        do {
            try await repeatRun(command, wish, in: Repository(path), &report, say)
        } catch {
            await worktree.remove()
            throw error
        }
        if wish.keepsWorktree {
            say("the work tree stays at \(path); `git worktree remove --force \(shellQuoted(path.string))` removes it")
            worktree.keep()
        } else {
            await worktree.remove()
        }
        return report
    }

    /// The command to run: the recorded one, unless the person names another.
    private func command(_ wish: Wish) throws -> [String] {
        let command = wish.command.isEmpty ? run.command : wish.command
        if command.isEmpty { throw ReproductionFailure.noCommand(run: run.id) }
        if wish.command.isEmpty, command.contains(where: { $0.contains(Secrets.mask) }) {
            throw ReproductionFailure.hiddenSecret(run: run.id)
        }
        return command
    }

    private func repeatRun(
        _ command: [String], _ wish: Wish, in worktree: Repository, _ report: inout ReproductionReport,
        _ say: @escaping @Sendable (String) -> Void
    ) async throws {
        let top = try worktree.requireWorkTree()
        if !run.leftOut.isEmpty {
            say("not kept with the code, so not here: \(run.leftOut.joined(separator: ", "))")
        }
        try await inputs.place(run.inputs, run.commit, in: worktree)
        report.reasons += try inputs.problems(run.inputs, in: worktree)
        guard report.reasons.isEmpty else { return }

        var order = Execution.Order(command)
        order.name = "reproduce-\(run.name ?? String(run.id.prefix(12)))"
        order.experiment = run.experiment
        order.output = wish.output
        if let environment = wish.environment {
            order.environment = environment
            order.inheritsEnvironment = false
        }
        order.enclosure = try wish.enclosure?(top)
        let folder = try folder(below: top)
        order.directory = folder
        order.params = try changedParams(below: top)
        if wish.rebuildsEnvironment {
            let version = run.environment["python"]?.string
            let environment = try await VirtualEnvironment.prepare(for: top, in: owner, version: version, say: say)
            order.environment.merge(environment.variables) { $1 }
            order.command = environment.command(command)
        } else {
            order.command = ownProgram(command, below: folder, say)
        }
        let now = try MachineInfo.environment(
            of: run.commit, in: owner, gpus: MachineInfo.gpuNames(), variables: order.environment)
        report.environment = ReproductionReport.differences(run.environment, now)
        let execution = Execution(worktree, settings: settings, modelPaths: modelPaths)
        do {
            report.judge(try await execution.run(order, say: say).run)
        } catch let failure as any Failure {
            report.reasons.append("\(failure)")
        }
    }

    /// Where the command ran: the top of the work tree, or a folder below it.
    private func folder(below top: FilePath) throws -> FilePath {
        let path = FilePath(run.environment[Execution.folderKey]?.string ?? "")
        guard !path.isAbsolute, !path.components.contains(where: { $0.kind != .regular }) else { return top }
        let folder = top.appending(path.components)
        try Files.makeDirectory(folder)
        return folder
    }

    /// The recorded parameters that the files of the code do not have.
    private func changedParams(below top: FilePath) throws -> [(key: String, value: String)] {
        var values: [String: JSON] = [:]
        for path in settings.params where !path.contains("*") {
            guard let bytes = try Files.read(top.appending(FilePath(path).components)) else { continue }
            values.merge(try ValueFile.read(bytes, path: path)) { $1 }
        }
        let present = Secrets.masked(ValueFile.params(values))
        return run.params.filter { key, value in
            guard let now = present[key], now != value else { return false }
            return value != Secrets.mask
        }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// A program of the user's own work tree that git does not keep, such as `.venv/bin/python`, is run from there.
    private func ownProgram(_ command: [String], below folder: FilePath, _ say: (String) -> Void) -> [String] {
        let place = FilePath(run.environment[Execution.folderKey]?.string ?? "").components
        guard let name = command.first, name.contains("/"), !name.hasPrefix("/"),
            !Files.exists(folder.appending(FilePath(name).components)),
            let own = owner.workTree?.appending(place).appending(FilePath(name).components), Files.exists(own)
        else { return command }
        say("\(name) is not part of the code: \(own) is used")
        return [own.string] + command.dropFirst()
    }

    /// Ties the two runs together by tags.
    public func link(_ report: ReproductionReport, in store: RunStore) throws {
        guard let new = report.new else { return }
        try store.change(new) {
            $0.tags([Self.reproducesTag: run.id, Self.verdictTag: report.verdict.rawValue])
        }
        try store.change(run) { $0.tags([Self.reproducedByTag: new.id]) }
    }
}

/// Why a run cannot be run again.
public enum ReproductionFailure: Failure, Equatable {
    case noCommand(run: String)
    case hiddenSecret(run: String)

    public var kind: FailureKind { .user }
    public var description: String {
        switch self {
        case .noCommand(let run): "the run \(run.prefix(12)) has no command: it was recorded by a commit or an import"
        case .hiddenSecret(let run): "the command of the run \(run.prefix(12)) had a secret in it, which was not kept"
        }
    }
    public var hints: [String] {
        switch self {
        case .noCommand: ["name the command that made it: `git ml reproduce RUN -- python train.py`"]
        case .hiddenSecret: ["give the whole command: `git ml reproduce RUN -- COMMAND`"]
        }
    }
}
