public import Base
public import GitKit
internal import Pointers
public import SystemPackage

/// A kind of file or folder that runs are read from.
public enum ImportFormat: String, Sendable, CaseIterable {
    case archive = "git-ml"
    case mlflow, tensorboard, wandb, dvclive
    case experiments = "dvc-exp"
}

/// A source that holds no runs that can be read.
public struct ImportFailure: Failure, Equatable {
    public let source: String
    public let reason: String
    public var kind: FailureKind { reason == Self.absent ? .notFound : .user }
    public var description: String { "\(source): \(reason)" }
    public var hints: [String] {
        [
            "sources are: a file of `git ml export`, an MLflow file store (`mlruns/`), a folder with TensorBoard's event files,"
                + " wandb-export.jsonl, dvclive/, or the word dvc-exp; --format says which"
        ]
    }
    static let absent = "there is no such file or folder"
}

/// Reads runs from elsewhere and adds them to the notes.
public struct RunImport: Sendable {
    public let repository: Repository
    private let settings: RecordSettings
    private let store: RunStore
    private let kept: any KeptContent
    /// Where the runs stand; nil: where their source says, else HEAD.
    public var commit: ObjectID?
    /// The experiment that they are put into; nil: the one that their source names.
    public var experiment: String?
    private let isDry: Bool

    public init(_ store: RunStore, settings: RecordSettings, isDry: Bool) {
        self.store = store
        repository = store.repository
        self.settings = settings
        self.isDry = isDry
        kept = isDry ? UnkeptContent() : LocalObjects(mlDirectory: store.repository.mlDirectory)
    }

    /// What came of a source.
    public struct Outcome: Sendable {
        /// The runs of the source as they are now, or would be.
        public var runs: [(run: Run, isNew: Bool)] = []
        public var warnings: [String] = []
        /// How many lines were not there before.
        public var newLines = 0
    }

    /// Recognises a source.
    public static func format(of source: FilePath) throws -> ImportFormat {
        guard let status = Files.status(source) else {
            if source.string == ImportFormat.experiments.rawValue { return .experiments }
            throw ImportFailure(source: source.string, reason: ImportFailure.absent)
        }
        let name = source.lastComponent?.string ?? ""
        guard status.kind == .file else {
            if MLflowFileStore.isStore(source) { return .mlflow }
            if DVCLive.isFolder(source) { return .dvclive }
            if try !TensorBoardEvents.folders(below: source).isEmpty { return .tensorboard }
            throw ImportFailure(source: source.string, reason: "the folder holds nothing that is known")
        }
        if TensorBoardEvents.isEventFile(name) { return .tensorboard }
        let first = try firstLine(source)
        if RunArchive.isArchive(first) { return .archive }
        if WandBExport.isExport(first) { return .wandb }
        throw ImportFailure(source: source.string, reason: "the file is of no kind that is known")
    }

    private static func firstLine(_ file: FilePath) throws -> [UInt8] {
        struct Enough: Error {}
        var line: [UInt8] = []
        do {
            try Files.readPieces(of: file) { piece in
                line += piece.prefix { $0 != 0x0a }
                if line.count > 64 << 20 || piece.contains(0x0a) { throw Enough() }
            }
        } catch is Enough {}
        return line
    }

    /// Reads a source and adds what is new; the same source again changes nothing.
    public func run(_ source: FilePath, as format: ImportFormat) throws -> Outcome {
        if format == .archive { return try add(RunArchive(source, kept: kept, commit: commit)) }
        let content = try read(source, as: format)
        var outcome = Outcome()
        outcome.warnings = content.warnings
        var lines: [ObjectID: [String]] = [:]
        for record in content.records {
            let record = try placed(record, format)
            let known = try store.run(id: record.run.description)
            if format == .experiments, known == nil, let own = try recorded(record.code) {
                outcome.newLines += try name(own, as: record)
                outcome.runs.append((own, false))
                continue
            }
            if let known, record.isCovered(by: known) {
                outcome.runs.append((known, false))
                continue
            }
            let new = try record.lines(store: kept)
            lines[record.code, default: []] += new
            if let run = Run.fold(new, on: record.code).first { outcome.runs.append((run, known == nil)) }
        }
        let kept = format == .experiments ? Array(lines.keys) : []
        outcome.newLines += try add(lines, keeping: kept)
        return outcome
    }

    /// The run that a hook has made of an experiment's commit: DVC commits in the work tree.
    private func recorded(_ commit: ObjectID) throws -> Run? {
        try store.runs(at: commit).first { $0.commit == commit && $0.source == "commit" }
    }

    /// Gives a run that is there already the name and tags of an experiment; answers how many lines that took.
    private func name(_ run: Run, as record: RunRecord) throws -> Int {
        guard let name = record.name, run.name != name, !isDry else { return 0 }
        try KeptCommits(repository).keep([run.commit])
        try store.change(run) { $0.tags(record.tags.merging([Run.nameTag: name]) { $1 }) }
        return 1
    }

    private func add(_ archive: RunArchive) throws -> Outcome {
        var outcome = Outcome()
        for (object, lines) in archive.lines.sorted(by: { $0.key < $1.key }) {
            for run in Run.fold(lines, on: object) {
                outcome.runs.append((run, try store.run(id: run.id) == nil))
            }
            if try repository.header(object) == nil {
                outcome.warnings.append(
                    "the commit \(object.short) is not in this repository: fetch it, or name another with --commit")
            }
        }
        outcome.newLines = try add(archive.lines, keeping: [])
        return outcome
    }

    /// Adds lines in one step and says how many are new.
    private func add(_ lines: [ObjectID: [String]], keeping commits: [ObjectID]) throws -> Int {
        var new: [ObjectID: [String]] = [:]
        for (object, own) in lines {
            let old = Set(try store.log.lines(on: object).map { Array($0.utf8) })
            let added = own.filter { !old.contains(Array($0.utf8)) }
            if !added.isEmpty { new[object] = added }
        }
        let count = new.values.reduce(0) { $0 + $1.count }
        if isDry || count == 0 { return count }
        if !commits.isEmpty { try KeptCommits(repository).keep(commits.sorted()) }
        try store.log.add(new, message: "runs: import")
        return count
    }

    /// A record where it belongs and under the names that were asked for.
    private func placed(_ record: RunRecord, _ format: ImportFormat) throws -> RunRecord {
        var record = record
        record.experiment = experiment ?? record.experiment
        if !settings.user { record.user = nil }
        if let known = try store.run(id: record.run.description) {
            record.goOn(from: known)
        } else if commit == nil, format == .mlflow {
            record.code = try SourceCommit(repository).code(of: record, else: record.code)
        } else if let commit {
            record.code = commit
        }
        return record
    }

    private func read(_ source: FilePath, as format: ImportFormat) throws -> FoundContent {
        if format == .experiments { return try DVCExperiments(repository, settings: settings).read() }
        guard let status = Files.status(source) else {
            throw ImportFailure(source: source.string, reason: ImportFailure.absent)
        }
        let code = try commit ?? repository.resolve("HEAD")
        switch format {
        case .mlflow: return try MLflowFileStore(source).read(code: code, store: kept)
        case .wandb: return try WandBExport.read(source, code: code)
        case .dvclive: return try liveRun(source, code: code)
        default:
            let folder = status.kind == .file ? source.removingLastComponent() : source
            var content = FoundContent()
            for path in try status.kind == .file ? [""] : TensorBoardEvents.folders(below: folder) {
                let place = folder.appending(FilePath(path).components)
                content.add(try TensorBoardEvents.read(place, label: label(folder, path), code: code))
            }
            return content
        }
    }

    /// A folder's path from the top of the work tree where it lies in it, else its last part, and what is below it: the
    /// same wherever the command is called from.
    private func label(_ folder: FilePath, _ below: String = "") -> String {
        let real = Files.realPath(folder) ?? folder
        var parts = [real.lastComponent?.string ?? folder.string]
        if let top = repository.workTree.flatMap({ Files.realPath($0) }), real.starts(with: top) {
            parts = real.components.dropFirst(top.components.count).map(\.string)
        }
        return (parts + (below.isEmpty ? [] : [below])).joined(separator: "/")
    }

    /// A run of its own for a folder of DVCLive's.
    private func liveRun(_ folder: FilePath, code: ObjectID) throws -> FoundContent {
        let time = max(try repository.commit(code).committer.time, Timestamp(microseconds: 0))
        let live = try DVCLive.read(folder, at: time)
        var content = FoundContent()
        content.warnings = live.warnings
        let times = live.series.values.joined().map(\.time)
        let (first, last) = (times.min() ?? time, times.max() ?? time)
        let label = label(folder)
        var record = RunRecord(
            run: UUIDv7(at: first, identifying: "dvclive\n\(label)\n\(first)"), started: first, code: code,
            source: .imported)
        record.name = label.split(separator: "/").last.map(String.init)
        (record.params, record.series) = (live.params, live.series)
        for (path, role) in live.plots.map({ ($0, RunItem.Role.plot) }) + live.artifacts.map({ ($0, .artifact) }) {
            let (digest, size) = try kept.keep(file: folder.appending(FilePath(path).components))
            record.outputs.append(RunItem(path: "\(label)/\(path)", digest: digest, size: size, role: role))
        }
        record.end = RunRecord.End(.finished, seconds: last.seconds(since: first))
        record.observed = last
        content.records = [record]
        return content
    }
}

extension Files {
    /// A path with links and relative parts resolved; nil when it is not there.
    static func realPath(_ path: FilePath) -> FilePath? {
        var buffer = [CChar](repeating: 0, count: 4097)
        guard path.withPlatformString({ realpath($0, &buffer) }) != nil else { return nil }
        return FilePath(String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}
