internal import Base
public import GitKit
internal import Pointers
internal import Storage
public import SystemPackage

/// Runs a command as an experiment.
///
/// Everything that tells of the run is in the journal before the command starts, and flushed: whatever dies, the next
/// command of git-ml finds the run.
public struct Execution: Sendable {
    /// What to run, and how to call it.
    public struct Order: Sendable {
        public var command: [String]
        public var name: String?
        public var experiment: String?
        /// Parameters to set in the parameters file first.
        public var params: [(key: String, value: String)] = []
        /// Where the command's standard output goes.
        public var output = FileDescriptor.standardOutput
        /// Where the command runs; nil: where this process does.
        public var directory: FilePath?
        /// Variables to set for the command.
        public var environment: [String: String] = [:]
        /// Called with the run's id when it has begun; what it returns is set for the command too.
        public var prepare: (@Sendable (_ run: String) async -> [String: String])?
        /// Whether the command has the other variables of this process too.
        public var inheritsEnvironment = true
        /// What is put around the command; nil: nothing.
        public var enclosure: Enclosure?

        public init(_ command: [String]) { self.command = command }
    }

    /// How it went.
    public struct Result: Sendable {
        public let run: Run
        /// The command's exit status; 128 + the signal's number when a signal ended it.
        public let exit: Int32
    }

    private let repository: Repository
    private let settings: RecordSettings
    private let modelPaths: [String]
    private let journal: Journal

    public init(_ repository: Repository, settings: RecordSettings, modelPaths: [String]) {
        self.repository = repository
        self.settings = settings
        self.modelPaths = modelPaths
        journal = Journal(repository)
    }

    /// Runs a command to its end and records it; `say` is told what happens besides, for the person who waits.
    public func run(_ order: Order, say: @Sendable (String) -> Void) async throws -> Result {
        let workTree = try repository.requireWorkTree()
        let program = try Self.program(order)
        if try repository.head() == nil { throw SnapshotFailure.unborn }
        for edit in try ParamsFile(workTree, declared: settings.params).apply(order.params) { say(edit.description) }

        let snapshot = try await Snapshot.take(repository, settings: settings)
        if !snapshot.leftOut.isEmpty {
            say("not kept with the code (too large, or a secret in it): \(snapshot.leftOut.joined(separator: ", "))")
        }
        if snapshot.isDirty { try KeptCommits(repository).keep([snapshot.code]) }
        let record = try record(order, snapshot, workTree)
        let id = record.run.description
        try journal.begin(record, owner: ProcessIdentity(getpid()))
        let files = try WorkFiles(
            repository, settings: settings, modelPaths: modelPaths,
            others: settings.metricFiles.map(\.path).filter { !$0.contains("*") } + [DVCLive.folderName])
        let before = try files.state()
        var order = order
        if let prepare = order.prepare { order.environment.merge(await prepare(id)) { $1 } }
        let outcome: Supervisor.Outcome
        do {
            outcome = try supervise(order, program, id)
        } catch {
            try journal.seal(id, Journal.Closing(end: RunRecord.End(.failed)))
            throw error
        }
        var closing = Journal.Closing()
        closing.end = RunRecord.End(
            outcome.wasStopped ? .killed : outcome.exit == 0 ? .finished : .failed, seconds: outcome.seconds,
            exit: Int64(outcome.exit), peakMemory: outcome.peakMemory)
        do {
            try gather(files.changed(since: before), files, workTree, into: &closing, say)
        } catch {
            say("what the run left in files was not recorded: \(error)")
        }
        return Result(run: try end(id, closing), exit: outcome.exit)
    }

    // MARK: Before

    /// The program's path, before anything is recorded of a command that cannot start.
    private static func program(_ order: Order) throws -> FilePath {
        let name = order.command.first ?? ""
        guard name.contains("/") else {
            guard let program = ChildProcess.find(name, path: order.environment["PATH"]) else {
                throw ProcessFailure.notFound(program: name)
            }
            return program
        }
        let program = FilePath(name)
        let file = order.directory.map { program.isAbsolute ? program : $0.pushing(program) } ?? program
        guard file.withPlatformString({ access($0, X_OK) }) == 0 else {
            throw FileFailure("run", file, Errno(rawValue: errno))
        }
        return file
    }

    private func record(_ order: Order, _ snapshot: Snapshot, _ workTree: FilePath) throws -> RunRecord {
        var record = RunRecord(code: snapshot.code, source: .cli)
        record.name = order.name
        record.experiment = order.experiment
        record.user = settings.user ? try environmentValue("GIT_AUTHOR_NAME") ?? repository.user().name : nil
        record.host = settings.host ? MachineInfo.host() : nil
        record.command = Secrets.masked(arguments: order.command)
        record.dirty = snapshot.isDirty
        record.leftOut = snapshot.leftOut
        record.parent = environmentValue("GIT_ML_RUN").flatMap { FilePath($0).lastComponent?.string }
        record.environment = try MachineInfo.environment(
            of: snapshot.code, in: repository, gpus: MachineInfo.gpuNames(), variables: order.environment)
        if let folder = Self.folder(order.directory ?? Files.currentDirectory(), below: workTree) {
            record.environment = .object(
                (record.environment.members ?? []) + [JSON.Member(Self.folderKey, .string(folder))])
        }
        for path in settings.params where !path.contains("*") {
            guard let bytes = try Files.read(workTree.appending(FilePath(path).components)) else { continue }
            record.params.merge(ValueFile.params(try ValueFile.read(bytes, path: path))) { $1 }
        }
        record.params = Secrets.masked(record.params)
        record.inputs = try PointerScan(repository).pointers(in: snapshot.code).compactMap { path, pointer in
            if modelPaths.contains(where: { path == $0 || path.hasPrefix($0 + "/") }) { return nil }
            return RunItem(path: path, digest: pointer.digest, size: pointer.size, role: .data)
        }
        return record
    }

    /// In a run's environment: the folder below the top of the work tree that the command ran in.
    static let folderKey = "folder"

    /// The path from the top of the work tree; nil at the top, and outside.
    private static func folder(_ directory: FilePath?, below workTree: FilePath) -> String? {
        guard var path = directory, path.removePrefix(workTree), !path.isEmpty else { return nil }
        return path.string
    }

    // MARK: While it runs

    private func supervise(_ order: Order, _ program: FilePath, _ id: String) throws -> Supervisor.Outcome {
        let folder = journal.folder(of: id)
        let inherited = order.inheritsEnvironment ? Daemon.currentEnvironment() : [:]
        var environment = inherited.merging(order.environment) { $1 }
        // Values of variables that are called like secrets do not get into the log.
        let secrets = environment.filter { Secrets.isSecret(name: $0.key) && $0.value.utf8.count >= 6 }.map(\.value)
        for name in ChildProcess.repositoryVariables { environment[name] = nil }
        environment["GIT_ML_RUN"] = folder.string
        // Python holds back what it prints into a pipe; a person wants to see it as it comes.
        environment["PYTHONUNBUFFERED"] = environment["PYTHONUNBUFFERED"] ?? "1"
        let sampler = SystemSampler(folder.appending("system.jsonl"))
        let growth = GrowthLog(of: folder.appending("metrics.jsonl"), in: folder.appending("metrics.clock"))
        var (program, arguments) = (program, Array(order.command.dropFirst()))
        if let enclosure = order.enclosure {
            (program, arguments) = try enclosure.wrap(program, arguments, order.directory ?? folder, folder)
        }
        defer { order.enclosure?.ended(folder) }
        let supervisor = Supervisor(
            program: program, arguments: arguments, environment: environment,
            directory: order.directory, time: order.enclosure?.time, isEnclosed: order.enclosure != nil,
            log: try RunOutput(
                folder.appending("log"), limit: Journal.largestLog, secrets: secrets, to: order.output),
            started: { process in
                try RunOwner([ProcessIdentity(getpid()), ProcessIdentity(process)]).write(to: folder)
                order.enclosure?.started(process)
                sampler.sample(group: process)
            },
            tick: { process in
                growth.note()
                sampler.sample(group: process)
            })
        var outcome = try supervisor.run()
        growth.note()
        outcome.peakMemory = max(outcome.peakMemory, sampler.peakMemory)
        return outcome
    }

    // MARK: Afterwards

    /// Takes in what the run has left in files: metrics, models, plots, data.
    private func gather(
        _ changed: [String], _ files: WorkFiles, _ workTree: FilePath, into closing: inout Journal.Closing,
        _ say: (String) -> Void
    ) throws {
        let now = Timestamp.now()
        for path in changed {
            let file = workTree.appending(FilePath(path).components)
            do {
                if path.hasPrefix(DVCLive.folderName + "/"), files.role(of: path) == nil { continue }
                let prefixes = settings.metricFiles.filter { $0.path == path }.map(\.prefix)
                if !prefixes.isEmpty, let bytes = try Files.read(file) {
                    for (key, value) in ValueFile.metrics(try ValueFile.read(bytes, path: path)) {
                        for prefix in prefixes {
                            closing.series[prefix + key] = [MetricPoint(step: 0, time: now, value: value)]
                        }
                    }
                } else if let role = files.role(of: path) {
                    let content = try keep(file, isTracked: files.isTracked(path))
                    closing.outputs.append(
                        RunItem(path: path, digest: content.digest, size: content.size, role: role))
                }
            } catch {
                say("\(error)")
            }
        }
        guard changed.contains(where: { $0.hasPrefix(DVCLive.folderName + "/") }) else { return }
        let live = try DVCLive.read(workTree.appending(DVCLive.folderName), at: now)
        closing.params.merge(live.params) { $1 }
        closing.series.merge(live.series) { $1 }
        for warning in live.warnings { say(warning) }
    }

    /// Takes a file's bytes in: where git's filter would put them if it is tracked, else as content that no pointer names.
    private func keep(_ file: FilePath, isTracked: Bool) throws -> (digest: Digest, size: Int64) {
        if !isTracked { return try journal.kept.keep(file: file) }
        return try repository.contentStore.insert { put in _ = try Files.readPieces(of: file) { try put($0) } }
    }

    private func end(_ id: String, _ closing: Journal.Closing) throws -> Run {
        let runs = Run.fold(try journal.seal(id, closing), on: repository.emptyTree)
        if try journal.waiting() >= Journal.patience { try RunLog(repository).fold() }
        guard let run = runs.first else { throw JournalFailure.ended(id) }
        return run
    }
}

/// Notes down how a file grows, so that lines without a time can be given one.
private final class GrowthLog {
    private let file: FilePath
    private let log: FilePath
    private var size: Int64 = 0

    init(of file: FilePath, in log: FilePath) {
        self.file = file
        self.log = log
    }

    func note() {
        guard let now = Files.status(file)?.size, now > size else { return }
        size = now
        guard
            let log = try? FileDescriptor.open(
                log, .writeOnly, options: [.create, .append, .closeOnExec], permissions: [.ownerReadWrite, .groupRead])
        else { return }
        _ = try? log.writeAll("\(now) \(Timestamp.now().microseconds)\n".utf8)
        try? log.close()
    }
}
